"""Brings the newest snapshot, fences and orders to every worker.

Each worker has a slot. It gets the whole snapshot first, then patches; what still
waits in the slot is joined with what is newer, so a slow worker skips to the newest;
orders (``drain``, ``reopen``) are kept.
Fences are set ahead of a waiting snapshot and lifted only behind it. What a
worker sends back (``ready``, ``applied``, ``pong``) is kept here too.
Counterpart: ``edgerouter/worker/main.py``.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping

from edgerouter.ipc.channel import Channel, Message, encode
from edgerouter.ipc.patch import joined
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

PING = encode({"type": "ping"})
COUNT_TIMEOUT = 2.0
"""Seconds in which a worker has to say what is under way."""


ByService = Mapping[str, frozenset[str]]
"""Server URLs by service."""


def _sorted(urls: ByService) -> dict[str, list[str]]:
    return {service: sorted(found) for service, found in urls.items()}


async def _nothing(_: str) -> None:
    """Get no certificate."""


class Slot:
    """What one worker has to be told, and what it has said."""

    def __init__(self, worker: int, orders: Iterable[bytes]) -> None:
        self.worker = worker
        self.ready = False
        self.applied = 0
        """The version of the newest snapshot the worker serves."""
        self.errors: Mapping[str, list[str]] = {}
        """What the worker could not build, by element (``routers/api@docker``)."""
        self.orders = deque(orders)
        self.questions: deque[bytes] = deque()
        """About what is under way: sent behind the fences, or the answer might be wrong at once."""
        self.snapshot: Message | None = None
        """The way to the newest snapshot, itself or a patch, while it has not been sent."""
        self.fenced: frozenset[str] = frozenset()
        """The fences the worker has been told."""
        self.health: tuple[ByService, ByService] = ({}, {})
        """The results of health checks the worker has been told."""
        self.absent: frozenset[int] = frozenset()
        """The workers it has been told to stand in for."""
        self.counts: dict[int, asyncio.Future[int]] = {}
        """For the answers to ``count``, by the number of the question."""
        self.is_asked = False
        self.has_spoken = False
        """Whether it has said anything at all."""
        self.is_heard = True
        """Whether it has said anything since the last question."""
        self.wake = asyncio.Event()
        self.wake.set()


class Publisher:
    """Holds the newest state and one slot per living worker."""

    def __init__(self) -> None:
        self.changed: Callable[[], None] = lambda: None
        """Called when a worker has come, gone or acknowledged."""
        self.certificate_wanted: Callable[[str], Awaitable[object]] = _nothing
        """Gets a certificate for the server name of a client to the workers, if it may have one."""
        self.certificate_used: Callable[[str], Awaitable[object]] = _nothing
        """Learns now and then that clients use the certificate of a name."""
        self._answering: set[asyncio.Task[None]] = set()
        self._slots: set[Slot] = set()
        self._fenced: frozenset[str] = frozenset()
        self._wanted: frozenset[str] = frozenset()
        self._health: tuple[ByService, ByService] = ({}, {})
        self._absent: frozenset[int] = frozenset()
        self._snapshot: Message | None = None
        self._encoded: tuple[Message | None, bytes] = (None, b"")
        self._questions = 0
        self.version = 0
        """The version of the newest snapshot."""
        self.errors: Mapping[str, list[str]] = {}
        """What workers could not build, by element, each message once; replaced, never changed."""

    @property
    def slots(self) -> list[Slot]:
        """The living workers, in order of their number."""
        return sorted(self._slots, key=lambda slot: slot.worker)

    @property
    def fenced(self) -> frozenset[str]:
        """Server URLs that get no new request."""
        return self._fenced

    @property
    def liftable(self) -> frozenset[str]:
        """Fences that nobody wants any more, still in force until ``lift``."""
        return self._fenced - self._wanted

    def publish(self, snapshot: Message, patch: Message | None = None) -> None:
        """Offer a snapshot to every worker; ``patch`` makes it of the last one."""
        self.version = snapshot["version"]
        self._snapshot = snapshot
        for slot in self._slots:
            waiting = slot.snapshot
            if patch is None or (waiting is not None and waiting["type"] == "snapshot"):
                slot.snapshot = snapshot
            else:
                slot.snapshot = patch if waiting is None else joined(waiting, patch)
        self._wake_all()

    def _frame(self, message: Message) -> bytes:
        """Return the frame of a snapshot or patch, encoded once for all workers."""
        if self._encoded[0] is not message:
            self._encoded = (message, encode(message))
        return self._encoded[1]

    def fence(self, urls: Iterable[str]) -> None:
        """Replace the set of servers that should be fenced.

        New ones are fenced at once, ahead of any snapshot under way. Others become
        ``liftable``: an address may be a new container's already, and only a table
        without the old one makes it safe to use.
        """
        self._wanted = frozenset(urls)
        self._set_fences(self._fenced | self._wanted)

    def lift(self, urls: frozenset[str]) -> None:
        """Lift fences that were ``liftable`` when the newest snapshot was begun."""
        self._set_fences((self._fenced - urls) | self._wanted)

    def _set_fences(self, fenced: frozenset[str]) -> None:
        if fenced != self._fenced:
            self._fenced = fenced
            self._wake_all()

    @property
    def down(self) -> ByService:
        """Server URLs that health checks found down, by service."""
        return self._health[0]

    def set_health(self, down: ByService, unproven: ByService) -> None:
        """Replace the results of health checks, ahead of any snapshot under way.

        ``unproven`` are servers whose first probe is not over.
        """
        self._health = down, unproven
        self._wake_all()

    def set_absent(self, worker: int, *, is_absent: bool) -> None:
        """Have the other workers accept the connections of ``worker``, or leave them to it."""
        others = self._absent - {worker}
        absent = others | {worker} if is_absent else others
        if absent != self._absent:
            self._absent = absent
            self._wake_all()

    def question(self, worker: int) -> bool:
        """Ask ``worker`` for a sign of life; tell whether it gave one since the last question."""
        slot = next((slot for slot in self._slots if slot.worker == worker), None)
        if slot is None:
            return False
        was_heard, slot.is_heard, slot.is_asked = slot.is_heard, False, True
        slot.wake.set()
        return was_heard

    def has_spoken(self, worker: int) -> bool:
        """Tell whether ``worker`` has said anything in its present life."""
        return any(slot.has_spoken for slot in self._slots if slot.worker == worker)

    def _wake_all(self) -> None:
        for slot in self._slots:
            slot.wake.set()

    def order(self, message: Message) -> None:
        """Send ``message`` (``drain``, ``reopen``) to every worker."""
        frame = encode(message)
        for slot in self._slots:
            slot.orders.append(frame)
            slot.wake.set()

    async def under_way(self, urls: Iterable[str]) -> int:
        """Return how many connections to the servers ``urls`` are in use, in all workers.

        Raises:
            TimeoutError: A worker did not say.
        """
        self._questions += 1
        question, asked = self._questions, list(self._slots)
        loop = asyncio.get_running_loop()
        counts = [slot.counts.setdefault(question, loop.create_future()) for slot in asked]
        frame = encode({"type": "count", "question": question, "urls": sorted(urls)})
        for slot in asked:
            slot.questions.append(frame)
            slot.wake.set()
        try:
            async with asyncio.timeout(COUNT_TIMEOUT):
                return sum(await asyncio.gather(*counts))
        finally:
            for slot in asked:
                del slot.counts[question]

    async def serve(self, worker: int, channel: Channel, orders: Iterable[Message]) -> None:
        """Look after one worker, from its first ``orders`` until it closes the channel."""
        slot = Slot(worker, map(encode, orders))
        slot.snapshot = self._snapshot
        self._slots.add(slot)
        self.changed()
        sender = asyncio.create_task(self._send(slot, channel), name=f"worker {worker} sender")
        try:
            while (message := await channel.receive()) is not None:
                self._receive(slot, message)
        finally:
            self._slots.discard(slot)
            for count in slot.counts.values():
                if not count.done():
                    count.set_result(0)  # With its process every connection has ended.
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            self.errors = self._collected_errors()
            self.changed()

    async def _send(self, slot: Slot, channel: Channel) -> None:
        while True:
            await slot.wake.wait()
            slot.wake.clear()
            while slot.orders:
                await channel.send(slot.orders.popleft())
            if slot.is_asked:
                slot.is_asked = False
                await channel.send(PING)
            if slot.absent != self._absent:
                slot.absent = self._absent
                await channel.send(encode({"type": "adopt", "workers": sorted(slot.absent)}))
            await self._send_fences(slot, channel, slot.fenced | self._fenced)
            while slot.questions:
                await channel.send(slot.questions.popleft())
            if slot.health != self._health:
                slot.health = self._health
                down, unproven = map(_sorted, slot.health)
                await channel.send(encode({"type": "health", "down": down, "unproven": unproven}))
            if slot.snapshot is not None:
                message, slot.snapshot = slot.snapshot, None
                await channel.send(self._frame(message))
            if slot.snapshot is None:
                await self._send_fences(slot, channel, self._fenced)

    @staticmethod
    async def _send_fences(slot: Slot, channel: Channel, fenced: frozenset[str]) -> None:
        if fenced != slot.fenced:
            slot.fenced = fenced
            await channel.send(encode({"type": "fence", "urls": sorted(fenced)}))

    def _receive(self, slot: Slot, message: Message) -> None:
        slot.has_spoken = slot.is_heard = True
        match message.get("type"):
            case "pong":
                return
            case "ready":
                slot.ready = True
                self.set_absent(slot.worker, is_absent=False)
            case "certificate":
                if message.get("used"):
                    task = asyncio.create_task(self._note_use(message["name"]))
                else:
                    task = asyncio.create_task(self._answer(slot, message["name"]))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
                return
            case "counted":
                count = slot.counts.get(message["question"])
                if count is not None and not count.done():
                    count.set_result(message["connections"])
                return
            case "resend":
                slot.snapshot = self._snapshot
                slot.wake.set()
            case "applied":
                slot.applied = message["version"]
                self._note_errors(slot, message.get("errors") or {})
            case unknown:
                log.warning("Unknown frame", extra=fields(worker=slot.worker, frame=unknown))
        self.changed()

    async def _note_use(self, name: str) -> None:
        await self.certificate_used(name)

    async def _answer(self, slot: Slot, name: str) -> None:
        """Answer a worker whose client needs a certificate, when it has it or is refused."""
        try:
            await self.certificate_wanted(name)
        finally:
            slot.orders.append(encode({"type": "certificate", "name": name}))
            slot.wake.set()

    def _note_errors(self, slot: Slot, errors: Mapping[str, list[str]]) -> None:
        slot.errors = errors
        known, self.errors = self.errors, self._collected_errors()
        for element, messages in self.errors.items():
            for message in messages:
                if message not in known.get(element, ()):
                    log.error("Worker cannot build", extra=fields(element=element, error=message))

    def _collected_errors(self) -> dict[str, list[str]]:
        collected: dict[str, list[str]] = {}
        for slot in self.slots:
            for element, messages in slot.errors.items():
                known = collected.setdefault(element, [])
                known.extend(message for message in messages if message not in known)
        return collected
