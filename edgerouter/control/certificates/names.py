"""Names that only the internal CA can certify."""

from ipaddress import ip_address

_LOCAL = ("localhost",)


def is_local(name: str) -> bool:
    """Whether no public CA certifies a name: ``localhost``, below it, loopback addresses."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name in _LOCAL or name.endswith(tuple(f".{local}" for local in _LOCAL))
