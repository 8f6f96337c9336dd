"""Running a tree: scopes, fields, pipelines and control, within a budget of steps."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from inspect import Signature, signature
from itertools import chain

from edgerouter.gotemplate.lexer import Source, TemplateError
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
from edgerouter.gotemplate.values import (
    MAX_OUTPUT,
    FunctionError,
    Record,
    Value,
    admit,
    kind,
    show,
    truth,
)

MAX_STEPS = 500_000
"""Evaluations one rendering may take; large results of functions count more."""
MAX_CALLS = 50
"""How deeply templates may include each other."""

Functions = Mapping[str, Callable[..., Value]]


class _Jump(Exception):
    """``break`` or ``continue`` on its way to the loop."""

    def __init__(self, *, breaks: bool) -> None:
        self.breaks = breaks


class _Nothing:
    """Marks that nothing is piped in."""


_NOTHING = _Nothing()


class Interpreter:
    """One rendering."""

    def __init__(self, source: Source, bodies: Mapping[str, Body], functions: Functions) -> None:
        self._source = source
        self._bodies = bodies
        self._functions = functions
        self._output: list[str] = []
        self._size = 0
        self._steps = 0
        self._calls = 0
        self._variables: list[tuple[str, Value]] = []

    def run(self, body: Body, data: Mapping[str, Value]) -> str:
        """Return the output of ``body`` for ``data``.

        Raises:
            TemplateError: Something cannot be evaluated, or a limit is reached.
        """
        try:
            self._call(body, Record(data))
        except RecursionError:
            raise self._error("the template is nested too deeply", 0) from None
        return "".join(self._output)

    # Nodes ----------------------------------------------------------------

    def _call(self, body: Body, dot: Value) -> None:
        variables, self._variables = self._variables, [("$", dot)]
        self._body(body, dot)
        self._variables = variables

    def _body(self, body: Body, dot: Value) -> None:
        scope = len(self._variables)
        try:
            for node in body:
                self._node(node, dot)
        finally:
            del self._variables[scope:]

    def _node(self, node: Node, dot: Value) -> None:
        match node:
            case Output(text):
                self._write(text, 0)
            case Print(pipeline):
                value = self._pipeline(pipeline, dot)
                if not pipeline.variables:
                    self._write(self._shown(value, pipeline), pipeline.position)
            case Branch():
                self._branch(node, dot)
            case Range():
                self._range(node, dot)
            case Jump(breaks):
                raise _Jump(breaks=breaks)
            case Include():
                self._include(node, dot)

    def _shown(self, value: Value, pipeline: Pipeline) -> str:
        try:
            return show(value)
        except FunctionError as error:
            raise self._error(str(error), pipeline.position) from None

    def _write(self, text: str, position: int) -> None:
        self._step(1, position)
        self._size += len(text)
        if self._size > MAX_OUTPUT:
            raise self._error(f"the output has more than {MAX_OUTPUT} characters", position)
        self._output.append(text)

    def _branch(self, node: Branch, dot: Value) -> None:
        scope = len(self._variables)
        value = self._pipeline(node.pipeline, dot)
        if truth(value):
            self._body(node.body, value if node.moves else dot)
        else:
            self._body(node.otherwise, dot)
        del self._variables[scope:]

    def _range(self, node: Range, dot: Value) -> None:
        scope = len(self._variables)
        pipeline = node.pipeline
        value = self._pipeline(pipeline, dot, binds=False)
        ran = False
        try:
            for key, item in self._pairs(value, pipeline.position):
                ran = True
                self._step(1, pipeline.position)
                self._bind(pipeline, (item,) if len(pipeline.variables) == 1 else (key, item))
                try:
                    self._body(node.body, item)
                except _Jump as jump:
                    if jump.breaks:
                        break
                if pipeline.declares:
                    del self._variables[scope:]
        finally:
            del self._variables[scope:]
        if not ran:
            self._body(node.otherwise, dot)

    def _pairs(self, value: Value, position: int) -> Iterable[tuple[Value, Value]]:
        match value:
            case None:
                return ()
            case bool() | float() | str():
                raise self._error(f"range cannot go over {kind(value)}", position)
            case int():
                return ((number, number) for number in range(value))
            case Mapping():
                return [(key, value[key]) for key in sorted(value)]
            case _:
                return list(enumerate(value))

    def _include(self, node: Include, dot: Value) -> None:
        body = self._bodies.get(node.name)
        if body is None:
            hint = _near(node.name, self._bodies)
            raise self._error(f"there is no template {node.name!r}{hint}", node.position)
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise self._error(
                f"templates call each other more than {MAX_CALLS} deep", node.position
            )
        data = None if node.pipeline is None else self._pipeline(node.pipeline, dot)
        self._call(body, data)
        self._calls -= 1

    # Pipelines ------------------------------------------------------------

    def _pipeline(self, pipeline: Pipeline, dot: Value, *, binds: bool = True) -> Value:
        value: Value = _NOTHING
        for command in pipeline.commands:
            value = self._command(command, dot, value)
        if binds and pipeline.variables:
            self._bind(pipeline, (value,))
        return value

    def _bind(self, pipeline: Pipeline, values: tuple[Value, ...]) -> None:
        for name, value in zip(pipeline.variables, values, strict=False):
            if pipeline.declares:
                self._variables.append((name, value))
                continue
            for place in range(len(self._variables) - 1, -1, -1):
                if self._variables[place][0] == name:
                    self._variables[place] = (name, value)
                    break

    def _command(self, command: Command, dot: Value, piped: Value) -> Value:
        self._step(1, command.position)
        first, *arguments = command.operands
        if isinstance(first, Function):
            return self._function(first, arguments, dot, piped)
        if arguments or piped is not _NOTHING:
            raise self._error("only a function takes arguments", command.position)
        return self._operand(first, dot)

    def _operand(self, operand: Operand, dot: Value) -> Value:
        match operand:
            case Literal(value):
                return value
            case Dot(fields, position):
                return self._fields(dot, fields, position)
            case Variable(name, fields, position):
                value = next(v for n, v in reversed(self._variables) if n == name)
                return self._fields(value, fields, position)
            case Group(pipeline, fields, position):
                return self._fields(self._pipeline(pipeline, dot), fields, position)
            case Function():
                return self._function(operand, (), dot, _NOTHING)

    def _fields(self, value: Value, fields: tuple[str, ...], position: int) -> Value:
        for field in fields:
            if isinstance(value, Record) and field not in value:
                hint = _near(field, value) or f"; there are {', '.join(sorted(value)) or 'none'}"
                raise self._error(f"there is no field .{field}{hint}", position)
            if value is None:
                raise self._error(f"the field .{field} is asked of a missing value", position)
            if not isinstance(value, Mapping):
                raise self._error(f"{kind(value)} has no field .{field}", position)
            value = self._admitted(value.get(field), position)
        return value

    def _admitted(self, value: object, position: int) -> Value:
        try:
            return admit(value)
        except FunctionError as error:
            raise self._error(str(error), position) from None

    # Functions ------------------------------------------------------------

    def _function(
        self, function: Function, arguments: Sequence[Operand], dot: Value, piped: Value
    ) -> Value:
        lazy = (self._operand(argument, dot) for argument in arguments)
        values = lazy if piped is _NOTHING else chain(lazy, (piped,))
        if function.name in ("and", "or"):
            return self._logic(function, values)
        implementation = self._functions[function.name]
        given = list(values)
        try:
            _signature(implementation).bind(*given)
        except TypeError as error:
            message = f"{function.name}: wrong arguments, {error}"
            raise self._error(message, function.position) from None
        try:
            result = admit(implementation(*given))
        except FunctionError as error:
            raise self._error(f"{function.name}: {error}", function.position) from None
        except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            reason = str(error) or type(error).__name__
            raise self._error(f"{function.name}: {reason}", function.position) from None
        self._step(sum(map(_cost, given)) + _cost(result), function.position)
        return result

    def _logic(self, function: Function, values: Iterable[Value]) -> Value:
        value: Value = _NOTHING
        for value in values:
            if truth(value) == (function.name == "or"):
                break
        if value is _NOTHING:
            raise self._error(f"{function.name} needs an argument", function.position)
        return value

    def _step(self, cost: int, position: int) -> None:
        self._steps += cost
        if self._steps > MAX_STEPS:
            raise self._error(f"the template takes more than {MAX_STEPS} steps", position)

    def _error(self, message: str, position: int) -> TemplateError:
        return self._source.error(message, position)


def _cost(value: Value) -> int:
    """Return what handling a large value adds to a step."""
    if isinstance(value, str):
        return len(value) // 64
    return len(value) // 4 if isinstance(value, Sequence | Mapping) else 0


@lru_cache(maxsize=512)
def _signature(function: Callable[..., Value]) -> Signature:
    return signature(function)


def _near(name: str, names: Iterable[str]) -> str:
    close = get_close_matches(name, list(names), 1, 0.6)
    return f"; did you mean {close[0]}?" if close else ""
