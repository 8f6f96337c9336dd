"""Names as CAs know them, and those that only the internal CA can certify."""

from ipaddress import ip_address

_LOCAL = ("localhost",)


def is_local(name: str) -> bool:
    """Whether no public CA certifies a name: ``localhost``, below it, loopback addresses."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name in _LOCAL or name.endswith(tuple(f".{local}" for local in _LOCAL))


def ascii_name(name: str) -> str:
    """Return a name as it stands in certificates (IDNA); one that has no such form stays."""
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return name
