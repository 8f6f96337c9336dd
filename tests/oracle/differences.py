"""Where edgerouter answers otherwise on purpose; told to users in docs/differences.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """Why, and what edgerouter answers: items of the first answer."""

    reason: str
    ours: Mapping[str, Any]


DIFFERENCES: dict[str, Difference] = {}
"""By the name of the case."""

ROUTER_DIFFERENCES: dict[str, str] = {}
"""Routers that the API describes otherwise on purpose, with the reason."""
