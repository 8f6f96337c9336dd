"""Small files beside a certificate: the order that is not finished, the last failure."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, TypeVar

from edgerouter.acme.files import read_json, write_json


@dataclass(frozen=True, slots=True)
class Pending:
    """An order that has been made and is not finished."""

    url: str
    key: str
    """Private key of the certificate (PEM)."""
    directory: str
    """The CA's."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no certificate, and when it is tried again."""

    count: int
    """How many there were in a row."""
    next_try: float
    """Seconds since 1970."""
    reason: str
    rehearsed: bool = False
    """The order succeeded on the CA's staging endpoint since."""


Content = TypeVar("Content", Pending, Failure)


class Record(Generic[Content]):
    """A file with one of them, or none."""

    def __init__(self, path: Path, kind: type[Content]) -> None:
        self._path = path
        self._kind: type[Content] = kind

    def load(self) -> Content | None:
        """Return what it holds; None when there is nothing, or nothing that can be understood.

        Raises:
            OSError: It cannot be read.
        """
        try:
            content = read_json(self._path)
            return self._kind(**content) if content else None
        except (ValueError, TypeError):
            return None

    def save(self, content: Content | None) -> None:
        """Write it, or remove it.

        Raises:
            OSError: It cannot be written.
        """
        if content is None:
            self._path.unlink(missing_ok=True)
        else:
            write_json(self._path, asdict(content))
