"""Brings the newest snapshot, fences and orders to every worker.

Each worker has a slot: snapshots and fences overwrite each other in it, so a
slow worker skips to the newest; orders (``drain``, ``reopen``) are kept. A
frame is encoded once for all workers. What a worker sends back, ``ready`` and
``applied``, is kept here too. Counterpart: ``edgerouter/worker/main.py``.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from edgerouter.ipc.channel import Channel, Message, encode
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)


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
        self.fence: bytes | None = None
        self.snapshot: tuple[bytes, frozenset[str]] | None = None
        self.wake = asyncio.Event()
        self.wake.set()


class Publisher:
    """Holds the newest state and one slot per living worker."""

    def __init__(self) -> None:
        self.changed: Callable[[], None] = lambda: None
        """Called when a worker has come, gone or acknowledged."""
        self._slots: set[Slot] = set()
        self._fenced: frozenset[str] = frozenset()
        self._snapshot: tuple[bytes, frozenset[str]] | None = None
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

    def publish(self, version: int, frame: bytes, fenced: frozenset[str]) -> None:
        """Offer the snapshot ``frame``, made with the set ``fenced``, to every worker."""
        self.version = version
        self._snapshot = (frame, fenced)
        for slot in self._slots:
            slot.snapshot = self._snapshot
            slot.wake.set()

    def fence(self, urls: Iterable[str]) -> None:
        """Replace the set of fenced servers, ahead of any snapshot under way."""
        fenced = frozenset(urls)
        if fenced == self._fenced:
            return
        self._fenced = fenced
        frame = self._fence_frame()
        for slot in self._slots:
            slot.fence = frame
            slot.wake.set()

    def order(self, message: Message) -> None:
        """Send ``message`` (``drain``, ``reopen``) to every worker."""
        frame = encode(message)
        for slot in self._slots:
            slot.orders.append(frame)
            slot.wake.set()

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
            if slot.fence is not None:
                frame, slot.fence = slot.fence, None
                await channel.send(frame)
            if slot.snapshot is not None:
                (frame, fenced), slot.snapshot = slot.snapshot, None
                if fenced != self._fenced:
                    # The snapshot is older than the fences and would lift them.
                    slot.fence = self._fence_frame()
                    slot.wake.set()
                await channel.send(frame)

    def _fence_frame(self) -> bytes:
        return encode({"type": "fence", "urls": sorted(self._fenced)})

    def _receive(self, slot: Slot, message: Message) -> None:
        match message.get("type"):
            case "ready":
                slot.ready = True
            case "applied":
                slot.applied = message["version"]
                self._note_errors(slot, message.get("errors") or {})
            case unknown:
                log.warning("Unknown frame", extra=fields(worker=slot.worker, frame=unknown))
        self.changed()

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
