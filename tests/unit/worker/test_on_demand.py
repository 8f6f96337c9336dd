"""Questions of a worker for certificates."""

import pytest

from edgerouter.tls.selection import Certificates
from edgerouter.worker import on_demand
from edgerouter.worker.on_demand import OnDemand
from tests.support.certificates import make_certificate


def certificates(*names: str) -> Certificates:
    issued = make_certificate(names or ["x.org"])
    found = Certificates()
    pair = {"certificate": issued.chain, "key": issued.key, "origin": "test"}
    entries = [{"names": list(names), **pair}] if names else []
    found.update({"certificates": entries, "default": pair, "ticketKey": "00" * 32})
    return found


class Asked(list[str]):
    """The questions of a worker, and what it has told of names that are used."""

    def __init__(self) -> None:
        self.used: list[str] = []

    def __call__(self, name: str, *, used: bool = False) -> None:
        (self.used if used else self).append(name)


async def test_one_question_for_all_who_wait() -> None:
    asked = Asked()
    questions = OnDemand(certificates("known.org"), asked)
    assert questions("known.org") is None
    assert questions("") is None
    first, second = questions("new.org"), questions("new.org")
    assert first is second is not None
    assert asked == ["new.org"]
    questions.answered("other.org")
    assert not first.done()
    questions.answered("new.org")
    assert first.done()
    assert questions("new.org") is not first, "it may be asked for again"


async def test_not_everybody_waits() -> None:
    asked = Asked()
    questions = OnDemand(certificates(), asked)
    for number in range(on_demand.MAX_WAITING):
        assert questions(f"n{number}.org") is not None
    assert questions("more.org") is None
    assert questions("n1.org") is not None
    assert len(asked) == on_demand.MAX_WAITING


async def test_what_is_used_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked()
    questions = OnDemand(certificates("known.org", "*.wild.org"), asked)
    for _ in range(3):
        assert questions("known.org") is None
        assert questions("a.wild.org") is None
    assert (asked, asked.used) == ([], ["known.org"])
    monkeypatch.setattr(on_demand, "USE_INTERVAL", 0.0)
    questions("known.org")
    assert asked.used == ["known.org"] * 2


async def test_what_was_told_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "MAX_TOLD", 2)
    asked = Asked()
    questions = OnDemand(certificates("a.org", "b.org", "c.org"), asked)
    for name in ("a.org", "b.org", "c.org", "c.org", "a.org"):
        assert questions(name) is None
    assert asked.used == ["a.org", "b.org", "c.org", "a.org"]
