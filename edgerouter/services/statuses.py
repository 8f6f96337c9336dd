"""Status codes as options name them: ``503``, ``500-599``."""

from collections.abc import Iterable


class StatusRanges:
    """A set of status codes."""

    __slots__ = ("_ranges",)

    def __init__(self, written: Iterable[str]) -> None:
        """Read codes and ranges.

        Raises:
            ValueError: One is neither; the message says which.
        """
        self._ranges = [_range(text) for text in written]

    def __contains__(self, status: int) -> bool:
        return any(low <= status <= high for low, high in self._ranges)


def _range(text: str) -> tuple[int, int]:
    low, dash, high = text.strip().partition("-")
    try:
        first = int(low)
        return first, int(high) if dash else first
    except ValueError as error:
        message = f'"{text}" is no status code nor a range such as 500-599'
        raise ValueError(message) from error
