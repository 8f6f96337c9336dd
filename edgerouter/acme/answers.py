"""What workers answer when a CA looks at challenges: one answer to each question at a time."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from edgerouter.acme.errors import Interrupted

Kind = Literal["http-01", "tls-alpn-01"]

POLL = 0.5
"""Seconds after which who waits looks whether the control plane stops."""


@dataclass(frozen=True, slots=True, order=True)
class Answer:
    """What proves one name."""

    kind: Kind
    key: str
    """What is asked for: the token, or the server name of the handshake."""
    content: tuple[str, ...]
    """The key authorization; or certificate and key (PEM)."""


class Answers:
    """All answers; threads of several orders change it.

    ``publish`` hands a change to the workers; with True it returns once all have it (or gives
    up waiting after some seconds). It is called from the threads of orders.
    """

    def __init__(self, publish: Callable[[bool], None]) -> None:
        self._publish = publish
        self._changed = threading.Condition()
        self._own: dict[tuple[Kind, str], Answer] = {}
        self._others: tuple[Answer, ...] = ()

    @property
    def http01(self) -> dict[str, str]:
        """Key authorization by token."""
        return {each.key: each.content[0] for each in self._all("http-01")}

    @property
    def acme_tls(self) -> dict[str, tuple[str, str]]:
        """Certificate and key (PEM) by server name."""
        return {each.key: (each.content[0], each.content[1]) for each in self._all("tls-alpn-01")}

    def _all(self, kind: Kind) -> list[Answer]:
        with self._changed:
            return [each for each in (*self._others, *self._own.values()) if each.kind == kind]

    def add(self, answers: Sequence[Answer], stop: threading.Event) -> None:
        """Answer these too, once no other order has an answer to the same question.

        A handshake says nothing but the host, so that one order after the other proves it.

        Raises:
            Interrupted: The control plane stops.
        """
        new = {(each.kind, each.key): each for each in answers}
        with self._changed:
            while not self._own.keys().isdisjoint(new):
                self._changed.wait(POLL)
                if stop.is_set():
                    raise Interrupted
            self._own |= new
        self._publish(True)

    def remove(self, answers: Iterable[Answer]) -> None:
        """Answer these no longer."""
        with self._changed:
            for each in answers:
                del self._own[each.kind, each.key]
            self._changed.notify_all()
        self._publish(False)

    def follow(self, others: Iterable[Answer]) -> None:
        """Answer these for other routers; not published yet."""
        with self._changed:
            self._others = tuple(others)
