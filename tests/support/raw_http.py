"""A client that sends exact bytes and reports exactly what came back."""

import socket
import time
from dataclasses import dataclass, field

Pairs = list[tuple[str, str]]


@dataclass(slots=True)
class Answer:
    """One final response; status 0 when the server closed without one."""

    status: int = 0
    version: str = ""
    reason: str = ""
    headers: Pairs = field(default_factory=list)
    body: bytes = b""
    trailers: Pairs = field(default_factory=list)
    interim: list[tuple[int, Pairs]] = field(default_factory=list)
    tunnel: bytes = b""
    complete: bool = True
    """Whether the body came to its announced end."""
    closed: bool | None = None
    """Whether the server closed the connection afterwards; None when nobody looked."""

    def get(self, name: str) -> str:
        """Return the first value of ``name`` (lower case), or an empty string."""
        return next((value for key, value in self.headers if key.lower() == name), "")


class _Connection:
    def __init__(self, port: int, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self._buffer = b""

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except ConnectionError:
            return  # The answer, if any, is still to be read.

    def fill(self) -> bool:
        """Read more; tell whether there was any."""
        self._socket.settimeout(max(self._end - time.monotonic(), 0.01))
        try:
            data = self._socket.recv(65536)
        except ConnectionError:
            return False
        self._buffer += data
        return bool(data)

    def until(self, mark: bytes) -> bytes | None:
        while mark not in self._buffer:
            if not self.fill():
                return None
        part, _, self._buffer = self._buffer.partition(mark)
        return part

    def exactly(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer when the server closed first."""
        while len(self._buffer) < size and self.fill():
            pass
        part, self._buffer = self._buffer[:size], self._buffer[size:]
        return part

    def rest(self) -> bytes:
        while self.fill():
            pass
        part, self._buffer = self._buffer, b""
        return part

    def closes_within(self, seconds: float) -> bool:
        self._socket.settimeout(seconds)
        try:
            return not self._socket.recv(1)
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    def close(self) -> None:
        self._socket.close()


def exchange(
    port: int,
    *parts: bytes,
    method: str = "GET",
    count: int = 1,
    tunnel: bytes = b"",
    watch_close: float = 0.0,
    seconds: float = 10.0,
) -> list[Answer]:
    """Send ``parts`` and read ``count`` responses.

    Between two parts one head is awaited (``100 Continue``). ``tunnel`` is
    sent after a ``101`` and as many bytes are read back. ``watch_close`` is how
    many seconds the server has to close the connection at the end.
    """
    connection = _Connection(port, seconds)
    try:
        connection.send(parts[0])
        answers = []
        for _ in range(count):
            answer = Answer()
            answers.append(answer)
            if not _read_head(connection, answer, parts[1:]):
                break
            if answer.status == 101:
                connection.send(tunnel)
                answer.tunnel = connection.exactly(len(tunnel))
            else:
                _read_body(connection, answer, method)
        if watch_close:
            answers[-1].closed = connection.closes_within(watch_close)
        return answers
    finally:
        connection.close()


def _read_head(connection: _Connection, answer: Answer, parts: tuple[bytes, ...]) -> bool:
    """Read heads up to a final one; send the next of ``parts`` after each interim one."""
    waiting = list(parts)
    while True:
        head = connection.until(b"\r\n\r\n")
        if head is None:
            answer.closed = True
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        answer.version, status, *reason = first.split(" ", 2)
        pairs = [_pair(line) for line in lines]
        if 100 <= int(status) < 200 and status != "101":
            answer.interim.append((int(status), pairs))
            if waiting:
                connection.send(waiting.pop(0))
            continue
        answer.status, answer.headers, answer.reason = int(status), pairs, "".join(reason)
        return True


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip(" \t")


def _read_body(connection: _Connection, answer: Answer, method: str) -> None:
    if method == "HEAD" or answer.status in (204, 304):
        return
    if answer.get("transfer-encoding").lower() == "chunked":
        answer.complete = _read_chunks(connection, answer)
    elif length := answer.get("content-length"):
        answer.body = connection.exactly(int(length))
        answer.complete = len(answer.body) == int(length)
    else:
        answer.body = connection.rest()


def _read_chunks(connection: _Connection, answer: Answer) -> bool:
    while (line := connection.until(b"\r\n")) is not None:
        size = int(line.split(b";")[0], 16)
        if not size:
            break
        answer.body += connection.exactly(size)
        connection.until(b"\r\n")
    else:
        return False
    while line := connection.until(b"\r\n"):
        answer.trailers.append(_pair(line.decode("latin-1")))
    return line is not None
