"""``python -m edgerouter.cli.reference FILE``: the page of all static options, from the models."""

import sys
from collections.abc import Iterator
from pathlib import Path

from edgerouter.cli.help import default_text, type_text
from edgerouter.config.options import Option, OptionTree
from edgerouter.config.static.providers import Providers
from edgerouter.config.static.support import unsupported
from edgerouter.provider import installed_providers

_HEAD = """\
# Static options

All options of this installation, made from the code by `python -m edgerouter.cli.reference`.
How they are written as flags, environment variables and in files is told in
[configuration](../configuration.md).

Names have no case. `<name>` stands for a name of your choice, `[0]` for a position in a list.
An option marked *not supported yet* is known and checked, and starts with a warning.
"""

_COMMON = {info.alias for info in Providers.model_fields.values()}


def reference() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    section = ""
    for path, option in OptionTree(installed_providers()).walk():
        root = _heading(path)
        if root != section:
            section = root
            yield from ("", f"## {root}", "", "| option | type | default | meaning |")
            yield "| --- | --- | --- | --- |"
        yield _row(path, option)


def _heading(path: str) -> str:
    root, _, rest = path.partition(".")
    name = rest.partition(".")[0]
    return f"{root}.{name}" if root == "providers" and name not in _COMMON else root


def _row(path: str, option: Option) -> str:
    default = default_text(option)
    shown = f"`{default}`" if default else ""
    meaning = option.description
    if unsupported([path.lower()]):
        meaning += " *Not supported yet.*"
    cells = (f"`{path}`", type_text(option), shown, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
