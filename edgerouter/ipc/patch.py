"""What has changed between two snapshots, so that a small change is a small message.

A patch leads from the snapshot of one version (``base``) to another. Workers get the
whole snapshot first and patches from then on; one that does not have the ``base``
asks for the whole again.
"""

from collections.abc import Mapping
from typing import Any

from edgerouter.ipc.channel import Message

SECTIONS = ("routers", "middlewares", "services", "serversTransports")
"""Parts that are sent element by element."""
WHOLE = ("disabled", "tls")
"""Parts that are sent whole when something in them has changed."""


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Message | None:
    """Return the patch from ``old`` to ``new``, or None when they say the same."""
    patch: Message = {}
    for section in SECTIONS:
        before, after = old.get(section) or {}, new.get(section) or {}
        changed = {name: value for name, value in after.items() if before.get(name) != value}
        gone = [name for name in before if name not in after]
        if changed or gone:
            patch[section] = {"set": changed, "gone": gone}
    patch |= {part: new.get(part) for part in WHOLE if old.get(part) != new.get(part)}
    if not patch:
        return None
    return {"type": "patch", "base": old.get("version"), "version": new.get("version"), **patch}


def patched(old: Message, patch: Message) -> Message:
    """Return the snapshot that ``patch`` makes of ``old``, which stays as it is."""
    new = {**old, "version": patch["version"]}
    for section in SECTIONS:
        if section in patch:
            elements = {**(old.get(section) or {}), **patch[section]["set"]}
            for name in patch[section]["gone"]:
                elements.pop(name, None)
            new[section] = elements
    return new | {part: patch[part] for part in WHOLE if part in patch}


def joined(first: Message, second: Message) -> Message:
    """Return one patch that does what ``first`` and then ``second`` do."""
    both = {**first, **second, "base": first["base"]}
    for section in SECTIONS:
        if section in first and section in second:
            gone = {*first[section]["gone"], *second[section]["gone"]}
            changed = {**first[section]["set"], **second[section]["set"]}
            for name in second[section]["gone"]:
                changed.pop(name, None)
            both[section] = {"set": changed, "gone": sorted(gone.difference(changed))}
    return both


def touched(patch: Mapping[str, Any], section: str) -> list[str]:
    """Return the names of the elements that are new, different or gone."""
    part = patch.get(section)
    return [*part["set"], *part["gone"]] if part else []
