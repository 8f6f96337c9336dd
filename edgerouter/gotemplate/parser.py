"""Tokens to tree, with Go's rules for scopes of variables."""

from edgerouter.gotemplate.lexer import Action, Source, TemplateError, Text, Token, split
from edgerouter.gotemplate.nodes import (
    Body,
    Branch,
    Command,
    Dot,
    Function,
    Group,
    Include,
    Jump,
    Literal,
    Node,
    Operand,
    Output,
    Pipeline,
    Print,
    Range,
    Variable,
)

MAX_DEPTH = 60
"""How deeply blocks and parentheses may nest."""
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "nil": None}
_BLOCKS = frozenset({"if", "with", "range", "define", "block"})
_KEYWORDS = _BLOCKS | {"else", "end", "template", "break", "continue"}


class Parser:
    """One pass over a template; ``bodies`` and ``functions`` are the results besides the root."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pieces = split(source)
        self._place = 0
        self._tokens: tuple[Token, ...] = ()
        self._position = 0
        self._variables = ["$"]
        self._depth = 0
        self._loops = 0
        self.bodies: dict[str, Body] = {}
        """What ``define`` and ``block`` named."""
        self.functions: dict[str, int] = {}
        """The functions that are used, each with its first place in the text."""

    def parse(self) -> Body:
        """Return the root.

        Raises:
            TemplateError: The text is no template.
        """
        body, closing = self._body(top=True)
        if closing is not None:
            raise self._error(f"unexpected {{{{{closing[0]}}}}}", closing[1])
        return body

    # Blocks ---------------------------------------------------------------

    def _body(self, *, top: bool = False) -> tuple[Body, tuple[str, int] | None]:
        """Read nodes up to ``else`` or ``end``; return it with its place."""
        nodes: list[Node] = []
        while self._place < len(self._pieces):
            piece = self._pieces[self._place]
            self._place += 1
            if isinstance(piece, Text):
                nodes.append(Output(piece.text))
                continue
            self._tokens, self._position = piece.tokens, 0
            keyword = self._keyword()
            if keyword in ("else", "end"):
                return tuple(nodes), (keyword, piece.position)
            node = self._statement(keyword, piece, top=top)
            if node is not None:
                nodes.append(node)
        return tuple(nodes), None

    def _keyword(self) -> str:
        token = self._token
        if token.kind == "name" and token.value in _KEYWORDS:
            self._position += 1
            return str(token.value)
        return ""

    def _statement(self, keyword: str, action: Action, *, top: bool) -> Node | None:
        match keyword:
            case "if" | "with" | "range":
                return self._control(keyword, action)
            case "define":
                if not top:
                    raise self._error(
                        "{{define}} must not stand inside another block", action.position
                    )
                self._define(action)
                return None
            case "block":
                return self._block(action)
            case "template":
                return self._template(action)
            case "break" | "continue":
                if not self._loops:
                    raise self._error(f"{{{{{keyword}}}}} outside {{{{range}}}}", action.position)
                self._end()
                return Jump(keyword == "break")
            case _:
                pipeline = self._pipeline()
                self._end()
                return Print(pipeline)

    def _control(self, keyword: str, action: Action) -> Node:
        self._enter(action.position)
        scope = len(self._variables)
        pipeline = self._pipeline(ranges=keyword == "range")
        self._end()
        self._loops += keyword == "range"
        body, closing = self._body()
        self._loops -= keyword == "range"
        otherwise: Body = ()
        if closing is not None and closing[0] == "else":
            otherwise, closing = self._else(keyword, closing[1])
        if closing is None:
            raise self._error(f"{{{{{keyword}}}}} has no {{{{end}}}}", action.position)
        if closing[0] == "else":
            raise self._error(f"a second {{{{else}}}} in {{{{{keyword}}}}}", closing[1])
        self._end()
        del self._variables[scope:]
        self._depth -= 1
        if keyword == "range":
            return Range(pipeline, body, otherwise)
        return Branch(pipeline, body, otherwise, moves=keyword == "with")

    def _else(self, keyword: str, position: int) -> tuple[Body, tuple[str, int] | None]:
        """Read after ``else``; ``else if`` and ``else with`` share the one ``end``."""
        following = self._keyword()
        if not following:
            self._end()
            return self._body()
        if following != keyword or keyword == "range":
            raise self._error(f"unexpected {following!r} after else in {{{{{keyword}}}}}", position)
        node = self._control(keyword, Action(self._tokens, position))
        self._position = len(self._tokens) - 1
        return (node,), ("end", position)

    def _define(self, action: Action) -> None:
        name = self._name_of("define")
        self._end()
        self._bodies(name, "define", action)

    def _block(self, action: Action) -> Node:
        name = self._name_of("block")
        pipeline = self._pipeline()
        self._end()
        self._bodies(name, "block", action)
        return Include(name, pipeline, action.position)

    def _bodies(self, name: str, keyword: str, action: Action) -> None:
        self._enter(action.position)
        variables, self._variables = self._variables, ["$"]
        loops, self._loops = self._loops, 0
        body, closing = self._body()
        if closing is None or closing[0] != "end":
            raise self._error(f"{{{{{keyword}}}}} has no {{{{end}}}}", action.position)
        self._end()
        self._variables, self._loops = variables, loops
        self._depth -= 1
        self.bodies[name] = body

    def _template(self, action: Action) -> Node:
        name = self._name_of("template")
        pipeline = None if self._token.kind == "end" else self._pipeline()
        self._end()
        return Include(name, pipeline, action.position)

    def _name_of(self, keyword: str) -> str:
        if self._token.kind != "text":
            raise self._unexpected(f"{{{{{keyword}}}}} needs a name in quotes")
        return str(self._take().value)

    # Pipelines ------------------------------------------------------------

    def _pipeline(self, *, ranges: bool = False) -> Pipeline:
        position = self._token.position
        variables, declares = self._assignment(ranges=ranges)
        commands = [self._command()]
        while self._token.kind == "|":
            self._position += 1
            commands.append(self._command())
            if not isinstance(commands[-1].operands[0], Function | Dot | Variable | Group):
                raise self._error("a constant cannot be piped into", commands[-1].position)
        for name in variables:
            if declares:
                self._variables.append(name)
            elif name not in self._variables:
                raise self._error(f"undefined variable {name}; declare it with :=", position)
        return Pipeline(tuple(commands), position, variables, declares)

    def _assignment(self, *, ranges: bool) -> tuple[tuple[str, ...], bool]:
        kinds = [token.kind for token in self._tokens[self._position : self._position + 4]]
        count = 0
        if kinds[:1] == ["variable"] and kinds[1:2] in ([":="], ["="]):
            count = 1
        elif ranges and kinds[:3] == ["variable", ",", "variable"] and kinds[3] in (":=", "="):
            count = 2
        names = tuple(str(self._tokens[self._position + 2 * n].value) for n in range(count))
        if not count:
            return (), False
        self._position += 2 * count - 1
        return names, self._take().kind == ":="

    def _command(self) -> Command:
        position = self._token.position
        operands: list[Operand] = []
        while self._token.kind not in ("|", ")", "end"):
            if operands and self._token.glued and self._token.kind != "(":
                raise self._unexpected("a space is missing")
            operands.append(self._operand())
        if not operands:
            raise self._unexpected("a value is missing")
        return Command(tuple(operands), position)

    def _operand(self) -> Operand:
        token = self._take()
        position = token.position
        match token.kind:
            case "text" | "number":
                return Literal(token.value)
            case "dot":
                return Dot((), position)
            case "field":
                return Dot((str(token.value), *self._fields()), position)
            case "variable":
                return self._variable(str(token.value), position)
            case "(":
                return self._group(position)
            case "name" if token.value in _CONSTANTS:
                return Literal(_CONSTANTS[str(token.value)])
            case "name" if token.value not in _KEYWORDS:
                self.functions.setdefault(str(token.value), position)
                return Function(str(token.value), position)
        self._position -= token.kind != "end"
        raise self._unexpected("a value is expected")

    def _variable(self, name: str, position: int) -> Operand:
        if name not in self._variables:
            raise self._error(f"undefined variable {name}; declare it with :=", position)
        return Variable(name, self._fields(), position)

    def _group(self, position: int) -> Operand:
        self._enter(position)
        pipeline = self._pipeline()
        if self._token.kind != ")":
            raise self._error("the parenthesis is not closed", position)
        self._position += 1
        self._depth -= 1
        return Group(pipeline, self._fields(), position)

    def _fields(self) -> tuple[str, ...]:
        fields = []
        while self._token.kind == "field" and self._token.glued:
            fields.append(str(self._take().value))
        return tuple(fields)

    # Tokens ---------------------------------------------------------------

    @property
    def _token(self) -> Token:
        return self._tokens[self._position]

    def _take(self) -> Token:
        token = self._token
        self._position += token.kind != "end"
        return token

    def _end(self) -> None:
        if self._token.kind != "end":
            raise self._unexpected("the action should end here")

    def _enter(self, position: int) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} blocks or parentheses nested", position)

    def _unexpected(self, expected: str) -> TemplateError:
        return self._error(f"unexpected {self._token}: {expected}", self._token.position)

    def _error(self, message: str, position: int) -> TemplateError:
        return self._source.error(message, position)
