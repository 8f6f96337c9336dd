"""Templates: parsed once, rendered with data and functions."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from edgerouter.gotemplate.builtins import BUILTINS
from edgerouter.gotemplate.interpreter import Interpreter
from edgerouter.gotemplate.lexer import Source
from edgerouter.gotemplate.nodes import Body
from edgerouter.gotemplate.parser import Parser
from edgerouter.gotemplate.sprig import SPRIG
from edgerouter.gotemplate.values import Value

MAX_SOURCE = 4 << 20
"""Characters a template may have."""
FUNCTIONS: dict[str, Callable[..., Value]] = {**BUILTINS, **SPRIG}
"""What every template may call."""


class Template:
    """A parsed template; immutable."""

    __slots__ = ("_bodies", "_body", "_source", "_used")

    def __init__(
        self, source: Source, body: Body, bodies: Mapping[str, Body], used: Mapping[str, int]
    ) -> None:
        self._source = source
        self._body = body
        self._bodies = bodies
        self._used = used

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Parse a template.

        Raises:
            TemplateError: The text is no template.
        """
        source = Source(text)
        if len(text) > MAX_SOURCE:
            raise source.error(f"the template has more than {MAX_SOURCE} characters", 0)
        parser = Parser(source)
        body = parser.parse()
        return cls(source, body, parser.bodies, parser.functions)

    def render(
        self,
        data: Mapping[str, Value],
        functions: Mapping[str, Callable[..., Value]] | None = None,
    ) -> str:
        """Return the output for ``data``; ``functions`` come on top of Go's and sprig's.

        ``data`` holds text, numbers, bools, None, lists and mappings; its own
        fields must exist, keys of mappings in it may be missing.

        Raises:
            TemplateError: A function or field does not exist, an argument is
                wrong, or the output or the work is more than is allowed.
        """
        known = {**FUNCTIONS, **(functions or {})}
        for name, position in self._used.items():
            if name not in known:
                near = get_close_matches(name, list(known), 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise self._source.error(f"there is no function {name!r}{hint}", position)
        return Interpreter(self._source, self._bodies, known).run(self._body, data)
