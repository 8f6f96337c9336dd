"""The file provider: YAML and TOML files become routes."""

from edgerouter_file.provider import FileProvider

__all__ = ["FileProvider"]
