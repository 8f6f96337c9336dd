"""docs/architecture.md knows every frame between control plane and workers."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
SIDES = {
    "control": ("control/publisher.py", "control/supervisor.py", "control/plane.py"),
    "worker": ("worker/main.py",),
}
SENT = re.compile(r'"type": "(\w+)"')
TAKEN = re.compile(r'^ +case "(\w+)"', re.MULTILINE)


def frames(side: str, pattern: re.Pattern[str]) -> set[str]:
    texts = [(ROOT / "edgerouter" / name).read_text() for name in SIDES[side]]
    return {name for text in texts for name in pattern.findall(text)}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("pattern", [SENT, TAKEN], ids=["sent", "taken"])
def test_every_frame_is_described(side: str, pattern: re.Pattern[str]) -> None:
    named = frames(side, pattern)
    assert len(named) > 4
    assert {name for name in named if f"| `{name}`" not in ARCHITECTURE} <= {"health"}


def test_what_is_sent_is_understood() -> None:
    assert frames("worker", SENT) <= frames("control", TAKEN)
    # A worker is made by its first frame; snapshots and patches are made elsewhere.
    assert frames("control", SENT) - {"start"} <= frames("worker", TAKEN)
