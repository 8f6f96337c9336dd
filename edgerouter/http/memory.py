"""Memories of what was worked out for texts that clients choose.

A memory that is bounded in entries alone is not bounded: a request head may have a
megabyte, and a thousand of them would stay for ever. So long texts are not remembered.
"""

from collections.abc import Callable, Sized
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar, cast

LONGEST = 512
"""Characters or bytes of a text that is remembered."""

First = TypeVar("First", bound=Sized)
More = ParamSpec("More")
Result = TypeVar("Result")

Function = Callable[Concatenate[First, More], Result]


def remembered(
    entries: int,
) -> Callable[[Function[First, More, Result]], Function[First, More, Result]]:
    """Have a pure function remember its last results, by all arguments if the first is short."""

    def decorate(function: Function[First, More, Result]) -> Function[First, More, Result]:
        memory = cast("Function[First, More, Result]", lru_cache(maxsize=entries)(function))

        @wraps(function)
        def call(text: First, /, *more: More.args, **named: More.kwargs) -> Result:
            if len(text) <= LONGEST:
                return memory(text, *more, **named)
            return function(text, *more, **named)

        return call

    return decorate
