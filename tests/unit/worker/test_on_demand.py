"""Questions of a worker for certificates."""

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


async def test_one_question_for_all_who_wait() -> None:
    asked: list[str] = []
    questions = OnDemand(certificates("known.org"), asked.append)
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
    asked: list[str] = []
    questions = OnDemand(certificates(), asked.append)
    for number in range(on_demand.MAX_WAITING):
        assert questions(f"n{number}.org") is not None
    assert questions("more.org") is None
    assert questions("n1.org") is not None
    assert len(asked) == on_demand.MAX_WAITING
