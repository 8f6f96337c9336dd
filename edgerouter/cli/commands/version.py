"""``edgerouter version``: what is installed."""

import os
import re
import sys
from collections.abc import Mapping, Sequence

from edgerouter import __version__
from edgerouter.build import build

NAME = "version"
SUMMARY = "Shows the version."
USAGE = "edgerouter version [--format='{{.Version}}']"

_FIELD = re.compile(r"\{\{-?\s*\.(\w+)\s*-?\}\}")
_LINES = (("Version", "Version"), ("Python version", "PythonVersion"), ("Build", "Build"))
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the version, or the fields that ``--format`` asks for."""
    del environ
    template = _template(argv)
    if template is None:
        sys.stderr.write(f"edgerouter version: usage: {USAGE}\n")
        return 2
    fields = _fields()
    if not template:
        for label, name in _LINES:
            sys.stdout.write(f"{label + ':':<16}{fields[name]}\n")
        sys.stdout.write(f"{'OS/Arch:':<16}{fields['Os']}/{fields['Arch']}\n")
        return 0
    rest = _FIELD.sub("", template)
    unknown = next((name for name in _FIELD.findall(template) if name not in fields), None)
    if unknown is not None or "{{" in rest:
        what = f".{unknown}" if unknown else "such a template"
        known = " ".join(f"{{{{.{name}}}}}" for name in fields)
        sys.stderr.write(f"edgerouter version: --format knows no {what}; use {known}\n")
        return 2
    sys.stdout.write(_FIELD.sub(lambda match: fields[match[1]], template) + "\n")
    return 0


def _template(argv: Sequence[str]) -> str | None:
    """Return the value of ``--format``, empty without it, None for other arguments."""
    if not argv:
        return ""
    name, equals, value = argv[0].lstrip("-").partition("=")
    if not argv[0].startswith("-") or name.lower() not in {"format", "f"}:
        return None
    if equals:
        return value if len(argv) == 1 else None
    return argv[1] if len(argv) == 2 else None


def _fields() -> dict[str, str]:
    machine = os.uname()
    return {
        "Version": __version__,
        "PythonVersion": sys.version.split()[0],
        "Build": build(),
        "Os": machine.sysname.lower(),
        "Arch": _ARCHITECTURES.get(machine.machine, machine.machine),
    }
