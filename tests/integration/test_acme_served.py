"""What is served and renewed when certificates are revoked, other routers are at it, CAs hang."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from edgerouter.acme import attempt
from edgerouter.acme.attempt import State
from edgerouter.acme.connection import Connection
from edgerouter.acme.internal_ca import InternalCA
from edgerouter.acme.order import Issued
from edgerouter.acme.plan import Wish
from edgerouter.acme.resolver import Resolver
from edgerouter.acme.storage import Storage, Stored
from tests.support.acme_bench import Bench, Relay, again, relayed
from tests.support.pebble import Pebble

NAME = "a.example.com"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="module")
def relay() -> Relay:
    return Relay()


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory, relay: Relay) -> Iterator[Pebble]:
    with (
        relayed(relay) as port,
        Pebble(tmp_path_factory.mktemp("pebble"), http_port=port) as running,
    ):
        yield running


async def obtained(bench: Bench, pebble: Pebble, relay: Relay) -> Stored:
    """One certificate that is wanted and there."""
    relay.current = bench.manager.answers
    bench.resolve(pebble)
    bench.manager.want([Wish("le", (NAME,))])
    await bench.look()
    stored = bench.one().stored
    assert stored is not None
    return stored


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[None]:
    task = asyncio.create_task(bench.manager.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_revoked_certificate_is_never_valid_again(
    bench: Bench, pebble: Pebble, relay: Relay
) -> None:
    first = await obtained(bench, pebble, relay)
    # The next order will fail. That nobody answers would not do: Pebble may know the name proved.
    bench.resolve(pebble, acme={"profile": "unknown"})
    await bench.manager.revoke(first)
    assert pebble.status(first.facts.serial) == "Revoked"
    assert bench.manager.certificates()[0].revoked, "served while there is no other"
    await bench.look()
    managed = bench.one()
    assert managed.state is State.FAILING

    relay.current = bench.start().answers
    bench.resolve(pebble)
    bench.manager.want([Wish("le", (NAME,))])
    await bench.look()
    managed = bench.one()
    assert managed.state is State.FAILING, "its next try has not come"
    bench.clock.move_to(managed.next_look)
    await bench.look()
    assert managed.state is State.VALID
    (served,) = bench.manager.certificates()
    assert served.facts.serial != first.facts.serial
    assert not served.revoked


async def test_what_nobody_wants_is_revoked_and_served_no_longer(
    bench: Bench, pebble: Pebble, relay: Relay
) -> None:
    first = await obtained(bench, pebble, relay)
    bench.manager.want([])
    assert bench.manager.held(NAME) == [first]
    bench.changes.clear()
    await bench.manager.revoke(first)
    assert pebble.status(first.facts.serial) == "Revoked"
    assert bench.manager.certificates() == []
    assert len(bench.changes) == 1, "workers are told"
    await bench.manager.revoke(first)  # The CA says that it is revoked already.

    bench.start()
    bench.resolve(pebble)
    assert bench.manager.certificates() == []


async def test_a_renewal_waits_for_another_router(
    bench: Bench, pebble: Pebble, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "BUSY_DELAY", 0.05)
    first = await obtained(bench, pebble, relay)
    storage = again(bench.manager.resolvers["le"].storage)
    async with running(bench):
        with storage.exclusive((NAME,)) as mine:
            assert mine
            renewal = asyncio.create_task(bench.manager.renew(bench.one()))
            await asyncio.sleep(0)  # It is asked for,
            await bench.one().changed.wait()  # and a look was in vain.
            assert bench.one().state is State.VALID
        result = await renewal
    assert result.stored is not None
    assert result.stored.facts.serial != first.facts.serial


async def test_what_another_router_has_obtained_is_served(
    bench: Bench, pebble: Pebble, relay: Relay, tmp_path: Path
) -> None:
    first = await obtained(bench, pebble, relay)
    other = Bench(tmp_path)
    other.resolve(pebble)
    other.manager.want([Wish("le", (NAME,))])
    await other.look()
    assert other.one().stored == first

    bench.manager.want([Wish("le", (NAME,)), Wish("le", ("b.example.com",))])
    async with running(bench):
        for managed in bench.manager.managed:
            await bench.manager.renew(managed)
    mine = {each.names: each for each in bench.manager.certificates()}
    assert mine[NAME,] != first
    await other.manager.refresh()
    assert {each.names: each for each in other.manager.certificates()} == mine
    await other.look()
    assert other.one().stored == mine[NAME,]
    await other.manager.revoke(mine[NAME,])
    await bench.manager.refresh()
    assert [each.revoked for each in bench.manager.certificates()] == [False, True]


async def test_an_account_that_was_deactivated_is_replaced(
    bench: Bench, pebble: Pebble, relay: Relay
) -> None:
    await obtained(bench, pebble, relay)
    resolver = bench.manager.resolvers["le"]
    account = resolver.storage.load_account(pebble.url)
    assert account is not None
    Connection(resolver.authority, account).post(account.url, {"status": "deactivated"})
    bench.manager.want([Wish("le", ("b.example.com",))])
    await bench.look()
    assert (bench.one().state, bench.one().reason) == (State.VALID, "")
    new = resolver.storage.load_account(pebble.url)
    assert new is not None
    assert new.key != account.key
    assert new.url != account.url


def test_routers_that_share_a_storage_make_one_account(bench: Bench, pebble: Pebble) -> None:
    made = "accounts in memory"
    before = pebble.count(made)
    resolvers = [bench.resolve(pebble) for _ in range(4)]
    now = bench.clock()
    begin = threading.Barrier(len(resolvers))

    def connect(resolver: Resolver) -> None:
        begin.wait()
        resolver._connect(resolver.authority, now).close()

    threads = [threading.Thread(target=connect, args=(resolver,)) for resolver in resolvers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pebble.count(made) == before + 1


async def test_a_name_on_demand_that_another_order_covers_meanwhile(
    bench: Bench, pebble: Pebble, relay: Relay
) -> None:
    relay.current = bench.manager.answers
    bench.resolve(pebble)
    waiting = asyncio.create_task(bench.manager.obtain("le", NAME))
    await asyncio.sleep(0)
    bench.manager.want([Wish("le", (NAME, "b.example.com"))])
    async with asyncio.timeout(20), running(bench):
        assert await waiting == ""
    (stored,) = bench.manager.certificates()
    assert stored.names == (NAME, "b.example.com")


class Hole:
    """A server that takes connections and says nothing."""

    def __init__(self, listener: socket.socket) -> None:
        self.url = f"https://127.0.0.1:{listener.getsockname()[1]}/dir"
        self.connections: list[socket.socket] = []
        self._listener = listener

    def accept(self) -> None:
        while True:
            try:
                self.connections.append(self._listener.accept()[0])
            except OSError:
                return


@contextmanager
def hole() -> Iterator[Hole]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Hole(listener)
        thread = threading.Thread(target=made.accept)
        thread.start()
        try:
            yield made
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for each in made.connections:
                each.close()


async def test_a_ca_that_hangs_is_no_matter_of_the_others(
    bench: Bench, pebble: Pebble, relay: Relay, tmp_path: Path
) -> None:
    relay.current = bench.manager.answers
    issuer = InternalCA(tmp_path / "issuer", timedelta(days=90))
    names = [f"n{number}.slow.test" for number in range(12)]
    storage = Storage(tmp_path / "acme.json.d", "slow")
    storage.open()
    with hole() as slow:
        for name in names[:8]:
            leaf = issuer.issue((name,))
            storage.save((name,), Issued(leaf.chain, leaf.key), slow.url)
        bench.resolve(pebble)
        patience = {"caServer": slow.url, "clientResponseHeaderTimeout": "2s"}
        bench.resolve(pebble, "slow", acme=patience)
        bench.manager.want([Wish("slow", (name,)) for name in names])
        bench.manager.tick()
        begin = asyncio.get_running_loop().time()
        bench.manager.want([*(Wish("slow", (n,)) for n in names), Wish("le", (NAME,))])
        bench.manager.tick()
        (mine,) = bench.manager.find(NAME)
        await mine.changed.wait()
        assert mine.state is State.VALID
        assert asyncio.get_running_loop().time() - begin < 2, "nobody waits for the slow one"
        await bench.manager.settled()
        assert len(slow.connections) <= 5, "not one for each certificate"
    states = {each.wish.names[0]: each.state for each in bench.manager.managed}
    assert [states[name] for name in names] == [State.VALID] * 8 + [State.FAILING] * 4
    (failing,) = bench.manager.find(names[-1])
    assert "does not answer" in failing.reason
    assert failing.next_look < bench.clock() + timedelta(seconds=80)
    assert bench.manager.find(names[0])[0].renewal is not None, "by age"
