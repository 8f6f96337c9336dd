"""Answers to challenges on the disk, so that every router that shares the storage gives them.

The CA's request may come to any of them. Who orders posts its answers and waits until the
others have confirmed that they give them too. Blocking; safe for threads and processes.
"""

import hashlib
import json
import logging
import secrets
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from edgerouter.acme.answers import Answer
from edgerouter.acme.errors import CertificateError, Interrupted
from edgerouter.acme.files import make_private
from edgerouter.acme.held import HeldFile, read_held, take
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds other routers have to confirm; then the CA is told all the same."""

POLL = 0.1


class Board:
    """What the routers that share one resolver's storage tell each other."""

    def __init__(self, directory: Path) -> None:
        self._answers = directory / "answers"
        self._routers = directory / "routers"
        self._lock = threading.Lock()
        self._posted: dict[Path, HeldFile] = {}
        self._me: HeldFile | None = None

    def post(self, answers: Iterable[Answer], stop: threading.Event) -> None:
        """Have all routers give these; waits while another one needs the same host.

        Raises:
            CertificateError: The disk cannot be used.
            Interrupted: The control plane stops.
        """
        digests = set()
        try:
            # In one order everywhere, so that no two wait for each other.
            for path, answer in sorted((self._path(each), each) for each in answers):
                held = self._take(path, stop)
                with self._lock:
                    self._posted[path] = held
                text = _text(answer)
                held.write(text)
                digests.add(_digest(text))
            self._await_others(digests, stop)
        except OSError as error:
            raise CertificateError(
                f"the answers to challenges cannot be kept: {error}; other routers read them there"
            ) from error

    def take_down(self, answers: Iterable[Answer]) -> None:
        """Have no router give these any longer, if they were posted here."""
        for answer in answers:
            with self._lock:
                held = self._posted.pop(self._path(answer), None)
            if held is not None:
                held.release()

    def others(self) -> Mapping[str, Answer]:
        """Return what other routers have posted; the key is for ``confirm``.

        Raises:
            OSError: It cannot be read.
        """
        with self._lock:
            mine = frozenset(self._posted)
        found = {}
        for text in read_held(self._answers, mine).values():
            answer = _parsed(text)
            if answer is not None:
                found[_digest(text)] = answer
        return found

    def confirm(self, keys: Iterable[str]) -> None:
        """Say that this router gives the answers with these keys, and no others' any longer.

        Raises:
            OSError: It cannot be written.
        """
        if self._me is None:
            make_private(self._routers)
            self._me = take(self._routers / secrets.token_hex(8))
        if self._me is not None:
            self._me.write("".join(f"{key}\n" for key in sorted(keys)))

    def leave(self) -> None:
        """Give no answers of others any longer."""
        if self._me is not None:
            self._me.release()
            self._me = None

    def _path(self, answer: Answer) -> Path:
        return self._answers / _digest(f"{answer.kind} {answer.key}")

    def _take(self, path: Path, stop: threading.Event) -> HeldFile:
        make_private(path.parent)
        while (held := take(path)) is None:
            if stop.wait(POLL):
                raise Interrupted
        return held

    def _await_others(self, keys: set[str], stop: threading.Event) -> None:
        deadline = time.monotonic() + PATIENCE
        while silent := self._silent(keys):
            if time.monotonic() > deadline:
                log.warning(
                    "Routers that share the storage have not confirmed the answer to a challenge",
                    extra=fields(directory=str(self._routers), routers=len(silent)),
                )
                return
            if stop.wait(POLL):
                raise Interrupted

    def _silent(self, keys: set[str]) -> Sequence[Path]:
        mine = frozenset() if self._me is None else frozenset({self._me.path})
        routers = read_held(self._routers, mine)
        return [path for path, text in routers.items() if not keys <= set(text.split())]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _text(answer: Answer) -> str:
    return json.dumps({"kind": answer.kind, "key": answer.key, "content": answer.content})


def _parsed(text: str) -> Answer | None:
    """Return an answer, None when it is not written to the end."""
    try:
        found = json.loads(text)
        return Answer(found["kind"], found["key"], tuple(found["content"]))
    except (ValueError, KeyError, TypeError):
        return None
