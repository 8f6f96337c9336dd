"""A steady, bounded load of requests: on one connection that stays, and on new ones."""

import http.client
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: when it was sent (`time.monotonic`), and what came of it."""

    sent: float
    status: int
    """0: nobody answered."""
    backend: str
    error: str = ""
    took: float = 0.0
    """Seconds until the answer had come."""
    reason: str = ""
    """What the router says of an error of its own."""


class Load:
    """``with Load(port, "api.test") as load: ...; load.failures``.

    Args:
        port: The entry point on loopback.
        host: The ``Host`` of the requests.
        path: What is asked for; by default an answer that whoami sends in one piece, as the second
            piece would wait for the acknowledgement of the first.
        method: ``POST`` has a small body.
        rate: Requests a second on each of the two kinds of connections.
    """

    def __init__(
        self,
        port: int,
        host: str,
        path: str = "/?bytes=0",
        *,
        method: str = "GET",
        rate: float = 50,
    ) -> None:
        self._port = port
        self._host = host
        self._path = path
        self._method = method
        self._body = b"x" * 64 if method == "POST" else None
        self._pause = 1 / rate
        self._over = threading.Event()
        self.samples: list[Sample] = []
        self._threads = [
            threading.Thread(target=self._on_one_connection, name="load: one connection"),
            threading.Thread(target=self._on_new_connections, name="load: new connections"),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def failures(self) -> list[Sample]:
        """Everything that was not answered with 200."""
        return [sample for sample in self.samples if sample.status != 200]

    def last_sent_to(self, backend: str) -> float:
        """Return when the last request was sent that this backend answered."""
        return max(sample.sent for sample in self.samples if sample.backend == backend)

    def _on_one_connection(self) -> None:
        connection = self._connect()
        while not self._over.wait(self._pause):
            sample = self._ask(connection)
            self.samples.append(sample)
            if sample.error:
                # That the router closed it is a failure, and one of them is enough.
                connection.close()
                connection = self._connect()
        connection.close()

    def _on_new_connections(self) -> None:
        while not self._over.wait(self._pause):
            sent = time.monotonic()
            try:
                connection = self._connect()
            except OSError as error:
                self.samples.append(Sample(sent, 0, "", repr(error)))
                continue
            self.samples.append(self._ask(connection))
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        connection.connect()
        connection.auto_open = 0  # A connection that was closed is not opened again in silence.
        return connection

    def _ask(self, connection: http.client.HTTPConnection) -> Sample:
        sent = time.monotonic()
        try:
            headers = {"Host": self._host}
            connection.request(self._method, self._path, self._body, headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            return Sample(sent, 0, "", repr(error))
        took = time.monotonic() - sent
        backend = response.getheader("X-Backend", "")
        reason = response.getheader("X-Edgerouter-Reason", "")
        return Sample(sent, response.status, backend, took=took, reason=reason)
