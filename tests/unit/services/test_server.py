"""Who is told of fences and health."""

import gc

from edgerouter.services.server import Fences, Health


class Watcher:
    def __init__(self, name: str, *urls: str) -> None:
        self.name = name
        self.urls = frozenset(urls)
        self.count = 0

    def refresh(self) -> None:
        self.count += 1


def test_fences_tell_those_they_concern() -> None:
    fences, one, other = Fences(), Watcher("a", "http://a"), Watcher("b", "http://b")
    fences.watch(one)
    fences.watch(other)
    fences.urls = frozenset(["http://a", "http://c"])
    fences.urls = frozenset(["http://a"])
    assert (one.count, other.count) == (1, 0)
    fences.urls = frozenset()
    assert (one.count, other.count) == (2, 0)


def test_health_tells_the_services_that_changed() -> None:
    health, one, other = Health(), Watcher("a"), Watcher("b")
    health.watch(one)
    health.watch(other)
    health.replace({"a": frozenset(["http://a"])})
    health.replace({"a": frozenset(["http://a"]), "c": frozenset(["http://a"])})
    assert (one.count, other.count) == (1, 0)
    assert (health.down("a"), health.down("b")) == ({"http://a"}, frozenset())
    health.replace({}, {"b": frozenset(["http://b"])})
    assert (one.count, other.count) == (2, 1)
    assert health.unproven("b") == {"http://b"}


def test_services_that_are_gone_are_forgotten() -> None:
    fences = Fences()
    fences.watch(Watcher("a", "http://a"))
    gc.collect()
    assert len(fences._watchers) == 0
