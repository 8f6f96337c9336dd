"""TLS towards clients: hellos, options, certificates and contexts; no sockets, no event loop."""
