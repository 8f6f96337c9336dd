"""Values that are PEM text or the path of a file with it; files are read again when they change."""

import os
from pathlib import Path

Stamp = tuple[int, int, int]
"""What changes with a file's content: inode, size, time of the last change."""


class FileProblem(ValueError):
    """The text cannot be had; the message names the file and the remedy."""


class PemFiles:
    """Reads values and remembers which files they stand in."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[Stamp | None, str]] = {}
        self._wanted: set[str] = set()

    def begin(self) -> None:
        """Begin a round of reading; files that are not read in it are forgotten at its end."""
        self._wanted = set()

    def end(self) -> None:
        """End the round."""
        self._texts = {path: self._texts[path] for path in self._wanted}

    def read(self, value: str) -> str:
        """Return PEM text: ``value`` itself, or the content of the file it names.

        Raises:
            FileProblem: There is no such file, or it cannot be read.
        """
        if "-----BEGIN " in value:
            return value
        self._wanted.add(value)
        stamp = _stamp(value)
        known = self._texts.get(value)
        if known is not None and known[1] and known[0] == stamp:
            return known[1]
        self._texts[value] = (stamp, "")
        text = _read(value)
        self._texts[value] = (stamp, text)
        return text

    def have_changed(self) -> bool:
        """Tell whether a file that was read in the last round has changed, come or gone."""
        return any(_stamp(path) != stamp for path, (stamp, _) in list(self._texts.items()))


def describe(value: str) -> str:
    """Return ``value`` for a message: the path, or that it is text."""
    return "the PEM text" if "-----BEGIN " in value else value


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - called for every file every few seconds.
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise FileProblem(
            f"{path} does not exist; correct the path, or mount the file into the container"
        ) from error
    except UnicodeDecodeError as error:
        raise FileProblem(
            f"{path} is not in PEM form; convert it with openssl x509 -inform der"
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FileProblem(f"{path} cannot be read: {reason}; check its owner and mode") from error
