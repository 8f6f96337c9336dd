"""Benchmarks against nginx and Traefik, side by side in one run: `make bench`."""
