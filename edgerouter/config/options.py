"""The tree of options that the models describe: names resolved without case, for every source.

Flags need to know whether an option takes a value, environment variables where one
name ends and the next begins, the help what exists. All of them walk this tree; it
is built from the models on the way, and the options of a provider are loaded when
its name is met.
"""

import functools
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from edgerouter.config.decode import fields_of, is_struct
from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.providers import TRAEFIK_PROVIDERS, Providers
from edgerouter.config.types import AllowEmpty, DurationMarker, suggestion

Kind = Literal["scalar", "switch", "list", "map", "section", "anything"]

_SEGMENT = re.compile(r"([^\[\]]+)(?:\[([0-9]{1,4})\])?")


class UnknownOption(Exception):
    """A name that no option has; the message says where it went wrong."""


class ProviderNotLoaded(Exception):
    """An installed provider cannot be imported."""


@dataclass(frozen=True)
class Option:
    """One place in the tree."""

    kind: Kind
    type_name: str = "any"
    model: type[BaseModel] | None = None
    item: "Option | None" = None
    """What a list or a map holds."""
    allow_empty: bool = False
    """A section that may be switched on as a whole."""
    description: str = ""
    default: Any = None

    @property
    def takes_no_value(self) -> bool:
        """Tell whether the bare flag means ``true``."""
        return self.kind in {"switch", "section", "map"}


ANYTHING = Option("anything")
"""Options below a provider that Traefik has and this installation lacks."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One step of a path: a name and, in a list of groups, the position."""

    name: str
    index: int | None = None

    def __str__(self) -> str:
        return self.name if self.index is None else f"{self.name}[{self.index}]"


def segment_of(part: str) -> Segment:
    """Read ``name`` or ``name[0]``.

    Raises:
        UnknownOption: The name is empty or its brackets are wrong.
    """
    match = _SEGMENT.fullmatch(part)
    if match is None:
        raise UnknownOption(f'"{part}" is not the name of an option')
    name, index = match.groups()
    return Segment(name, None if index is None else int(index))


def segments_of(path: str) -> list[Segment]:
    """Split ``a.b[0].c``.

    Raises:
        UnknownOption: A part is no name.
    """
    return [segment_of(part) for part in path.split(".")]


class OptionTree:
    """Every option of this installation, its providers' options included."""

    def __init__(self, installed: Mapping[str, EntryPoint]) -> None:
        self._installed = {name.lower(): (name, entry) for name, entry in installed.items()}
        self.root = Option("section", "section", StaticConfiguration)

    def provider_names(self) -> list[str]:
        """Return the names of the installed providers."""
        return [name for name, _ in self._installed.values()]

    def known_provider(self, name: str) -> str | None:
        """Return the spelling of a provider that is installed or that Traefik has, or None."""
        spellings = {known.lower(): known for known in TRAEFIK_PROVIDERS}
        spellings.update({lower: spelling for lower, (spelling, _) in self._installed.items()})
        return spellings.get(name.lower())

    def provider_options(self, name: str) -> type[BaseModel] | None:
        """Return the Options class of a provider, or None when it is not installed.

        Raises:
            ProviderNotLoaded: The plug-in cannot be imported.
        """
        if name.lower() not in self._installed:
            return None
        spelling, entry = self._installed[name.lower()]
        try:
            options: type[BaseModel] = entry.load().Options
        except (ImportError, AttributeError) as error:
            raise ProviderNotLoaded(
                f'the provider "{spelling}" ({entry.value}) cannot be loaded: {error}'
            ) from error
        return options

    def children(self, option: Option) -> dict[str, Option]:
        """Return the options below a section by their spelling, installed providers included."""
        if option.model is None:
            return {}
        children = {alias: child for alias, child in _fields(option.model) if alias != "enabled"}
        if option.model is Providers:
            for name in self.provider_names():
                try:
                    children[name] = self._provider(name)
                except ProviderNotLoaded as error:
                    children[name] = Option("anything", description=str(error))
        return children

    def _provider(self, name: str) -> Option:
        model = self.provider_options(name)
        if model is None:
            return ANYTHING
        return Option(
            "section", "section", model, allow_empty=True, description=f"Provider {name}."
        )

    def child(self, option: Option, name: str) -> tuple[str, Option]:
        """Return spelling and option of ``name`` below a section.

        Raises:
            UnknownOption: There is none; the message suggests another.
            ProviderNotLoaded: It is a provider that cannot be imported.
        """
        if option.model is Providers and (spelling := self.known_provider(name)):
            return spelling, self._provider(spelling)
        assert option.model is not None  # noqa: S101 - sections have a model.
        fields = [pair for pair in _fields(option.model) if pair[0] != "enabled"]
        for alias, child in fields:
            if alias.lower() == name.lower():
                return alias, child
        known = [alias for alias, _ in fields]
        if option.model is Providers:
            known += [*TRAEFIK_PROVIDERS, *self.provider_names()]
        raise UnknownOption(f'unknown option "{name}"{suggestion(name, known)}')

    def resolve(self, segments: Sequence[Segment]) -> tuple[list[Segment], Option]:
        """Return the path in our spelling (keys of maps as given) and the option it leads to.

        Raises:
            UnknownOption: A part of the path does not exist.
            ProviderNotLoaded: It leads to a provider that cannot be imported.
        """
        option = self.root
        path: list[Segment] = []
        for position, segment in enumerate(segments):
            if option.kind == "anything":
                return [*path, *segments[position:]], ANYTHING
            if option.kind == "map":
                assert option.item is not None  # noqa: S101 - maps have items.
                if option.item.kind != "section":
                    rest = ".".join(str(part) for part in segments[position:])
                    return [*path, Segment(rest)], option.item
                path.append(segment)
                option = option.item
                continue
            if option.kind != "section":
                above = ".".join(str(part) for part in path)
                raise UnknownOption(f'"{above}" takes a value and has no option "{segment}"')
            spelling, option = self.child(option, segment.name)
            path.append(Segment(spelling, segment.index))
            option = _element(option, path)
        return path, option

    def walk(self, option: Option | None = None, prefix: str = "") -> Iterator[tuple[str, Option]]:
        """Yield every option that can be set, in the order of the models, ``<name>`` for keys."""
        for name, child in self.children(option or self.root).items():
            path = f"{prefix}{name}"
            if child.kind == "map" and child.item is not None:
                path, child = f"{path}.<name>", _keyed(child)  # noqa: PLW2901
            if child.kind == "list" and child.item is not None and child.item.model is not None:
                path, child = f"{path}[0]", child.item  # noqa: PLW2901
            if child.kind != "section" or child.allow_empty:
                yield path, child
            if child.kind == "section":
                yield from self.walk(child, f"{path}.")


def _element(option: Option, path: list[Segment]) -> Option:
    """Step from a list to the element meant by the index."""
    name, index = path[-1].name, path[-1].index
    if option.kind != "list" or option.item is None:
        if index is not None:
            raise UnknownOption(f'"{name}" is not a list; leave [{index}] out')
        return option
    if index is None and option.item.model is not None:
        raise UnknownOption(f'"{name}" is a list of groups: write {name}[0] and so on')
    return option if index is None else option.item


def _keyed(option: Option) -> Option:
    """Return what a map holds, with the words of the map."""
    assert option.item is not None  # noqa: S101 - maps have items.
    return replace(option.item, description=option.description)


@functools.cache
def _fields(model: type[BaseModel]) -> tuple[tuple[str, Option], ...]:
    pairs = []
    for spec in fields_of(model):
        info = model.model_fields[spec.name]
        default = info.get_default(call_default_factory=True, validated_data={})
        option = replace(
            _option(spec.annotation, spec.metadata),
            allow_empty=spec.marked(AllowEmpty),
            description=info.description or "",
            default=None if default is PydanticUndefined else default,
        )
        pairs.append((spec.alias, option))
    return tuple(pairs)


def _option(annotation: Any, metadata: tuple[Any, ...] = ()) -> Option:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *extra = get_args(annotation)
        return _option(inner, (*metadata, *extra))
    if origin in {Union, types.UnionType}:
        members = [member for member in get_args(annotation) if member is not type(None)]
        return _option(members[0], metadata) if len(members) == 1 else Option("scalar", "text")
    if is_struct(annotation):
        return Option("section", "section", annotation)
    if origin in {list, tuple}:
        item = _option(get_args(annotation)[0])
        return Option("list", f"list of {item.type_name}", item=item)
    if origin is dict or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return Option("map", "map", item=_option(get_args(annotation)[1]))
    if origin is Literal:
        return Option("scalar", " | ".join(f'"{value}"' for value in get_args(annotation)))
    if any(isinstance(marker, DurationMarker) for marker in metadata):
        return Option("scalar", "duration")
    names = {bool: "bool", int: "int", float: "float", str: "text"}
    return Option("switch" if annotation is bool else "scalar", names.get(annotation, "any"))
