"""Certificates that are made: ACME resolvers, the internal CA, on demand; what they tell the API.

``edgerouter.acme`` does the work, here it meets the rest of the control plane.
"""
