"""What a middleware is given when a table is built."""

from dataclasses import dataclass

SAFE_IN_PATH = "$&+,/:;=@"
"""What Go leaves unescaped in a path beside letters, digits and ``-._~``."""


@dataclass(frozen=True, slots=True)
class BuildContext:
    """The surroundings of one middleware in one route."""

    name: str
    """The qualified name, e.g. ``strip@docker``."""


class BuildError(Exception):
    """The options cannot work; the message names the option and the remedy."""
