"""The side of the servers."""
