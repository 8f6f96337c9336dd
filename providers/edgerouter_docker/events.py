"""The engine's stream of events, followed in one named thread.

An event says which container to look at again, never what it looks like now:
engines differ in the order of their events.
"""

import logging
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgerouter_docker.engine import Engine, EngineUnavailable, EventStream

log = logging.getLogger(__name__)

JOIN_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Event:
    """One event about one container."""

    action: str
    """``start``, ``kill``, ``health_status``, ``connect``, without what follows a colon."""
    container_id: str
    signal: int = 0
    """The signal of a ``kill``."""
    network_id: str = ""
    """The network of a ``connect`` or ``disconnect``."""


def event_of(data: Mapping[str, Any]) -> Event | None:
    """Return the event of a decoded line, or None when it is about no container."""
    actor = data.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    network_id = ""
    if data.get("Type") == "network":
        container_id, network_id = attributes.get("container", ""), str(actor.get("ID") or "")
    else:
        container_id = actor.get("ID") or data.get("id") or ""
    action = str(data.get("Action") or data.get("status") or "").partition(":")[0]
    if not container_id or not action:
        return None
    return Event(action, container_id, signal_number(attributes.get("signal", "")), network_id)


def signal_number(name: str) -> int:
    """Return the number of ``15``, ``TERM``, ``SIGTERM`` or ``RTMIN+3``; 0 for anything else."""
    text = name.strip().upper().removeprefix("SIG")
    if text.isdigit():
        return int(text)
    base, sign, offset = text.partition("+")
    if not sign:
        base, sign, offset = text.partition("-")
    try:
        number = signal.Signals[f"SIG{base}"].value
        return number + int(sign + offset) if sign else number
    except (KeyError, ValueError):
        return 0


class EventFollower:
    """Reads the stream in a thread until it ends or ``close`` is called.

    The call-backs run in the thread: ``opened()`` once the stream is there, ``deliver(event)`` for
    each event, ``ended(reason)`` last, whatever happened.
    """

    def __init__(
        self,
        engine: Engine,
        since: int,
        *,
        opened: Callable[[], None],
        deliver: Callable[[Event], None],
        ended: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._since = since
        self._opened = opened
        self._deliver = deliver
        self._ended = ended
        self._stream: EventStream | None = None
        self._closing = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="docker-events", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the stream and wait for the thread; blocks shortly."""
        with self._lock:
            self._closing = True
            if self._stream is not None:
                _close(self._stream)
        self._thread.join(JOIN_TIMEOUT)
        if self._thread.is_alive():
            log.warning("The thread that follows Docker events did not end in time.")

    def _run(self) -> None:
        reason = "the stream of events ended"
        try:
            stream = self._engine.events(self._since)
            with self._lock:
                self._stream = stream
                if self._closing:
                    _close(stream)
            self._opened()
            for data in stream:
                event = event_of(data)
                if event is not None:
                    self._deliver(event)
        except EngineUnavailable as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - the client raises what the connection raised.
            reason = f"the stream of events broke: {error!r}"
        finally:
            with self._lock:
                if self._stream is not None:
                    _close(self._stream)
            self._ended(reason)


def _close(stream: EventStream) -> None:
    try:
        stream.close()
    except (AttributeError, OSError):
        log.debug("The stream of events had ended already.", exc_info=True)
