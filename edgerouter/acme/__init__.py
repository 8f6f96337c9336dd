"""Certificates by ACME (RFC 8555) and from the internal CA, on the control plane's side.

``connection`` speaks the protocol, ``order`` obtains one certificate, ``manager`` decides
which certificates are wanted and when. Workers never import this package.
"""
