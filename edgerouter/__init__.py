"""An edge router for Docker: container labels become live routes."""

__version__ = "0.1.0"
