"""Which build this is: plain Python, or with its hot path compiled (`scripts/compile.py`)."""

from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec

COMPILED, PLAIN = "compiled", "plain Python"


def build() -> str:
    """Return ``COMPILED`` or ``PLAIN``; nothing is loaded for it."""
    spec = find_spec("edgerouter.proxy.forward")
    origin = (spec.origin if spec is not None else None) or ""
    return COMPILED if origin.endswith(tuple(EXTENSION_SUFFIXES)) else PLAIN
