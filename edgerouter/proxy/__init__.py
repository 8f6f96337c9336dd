"""The engine of the data plane: connections, dispatch, forwarding."""
