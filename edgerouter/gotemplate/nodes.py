"""The tree of a template."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: text, number, bool or nil."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Dot:
    """``.`` with fields: ``.Labels.a``."""

    fields: tuple[str, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Variable:
    """``$x`` with fields; ``$`` alone is the data."""

    name: str
    fields: tuple[str, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Function:
    """The name of a function."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Group:
    """A pipeline in parentheses, with fields."""

    pipeline: "Pipeline"
    fields: tuple[str, ...]
    position: int


Operand: TypeAlias = Literal | Dot | Variable | Function | Group


@dataclass(frozen=True, slots=True)
class Command:
    """One member of a pipeline: a value, or a function and its arguments."""

    operands: tuple[Operand, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each fed to the next; the result may go to variables."""

    commands: tuple[Command, ...]
    position: int
    variables: tuple[str, ...] = ()
    declares: bool = False
    """``:=`` rather than ``=``."""


@dataclass(frozen=True, slots=True)
class Output:
    """Copy a text."""

    text: str


@dataclass(frozen=True, slots=True)
class Print:
    """Evaluate and print, unless the result goes to a variable."""

    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Branch:
    """``if`` or ``with``: ``with`` moves the dot."""

    pipeline: Pipeline
    body: "Body"
    otherwise: "Body"
    moves: bool


@dataclass(frozen=True, slots=True)
class Range:
    """``range``."""

    pipeline: Pipeline
    body: "Body"
    otherwise: "Body"


@dataclass(frozen=True, slots=True)
class Jump:
    """``break`` or ``continue``."""

    breaks: bool


@dataclass(frozen=True, slots=True)
class Include:
    """``template`` and the use of a ``block``."""

    name: str
    pipeline: Pipeline | None
    position: int


Node: TypeAlias = Output | Print | Branch | Range | Jump | Include
Body: TypeAlias = tuple[Node, ...]
