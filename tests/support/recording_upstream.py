"""An upstream that remembers every request it was sent, to show that none was smuggled."""

import socketserver
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as the upstream read it, by the letter of RFC 9112."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


class RecordingUpstream:
    """``with RecordingUpstream() as upstream: upstream.port, upstream.take()``."""

    def __init__(self) -> None:
        self._seen: list[Seen] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.seen = self._seen
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def take(self) -> list[Seen]:
        """Return the requests since the last call."""
        seen = list(self._seen)
        self._seen.clear()
        return seen


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    seen: list[Seen]


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        try:
            while self._answer():
                pass
        except (OSError, ValueError):
            return  # The router broke off, which is its right.

    def _answer(self) -> bool:
        line = self.rfile.readline()
        if not line:
            return False
        headers = self._fields()
        values = {name.lower(): value for name, value in headers}
        body, trailers = b"", []
        if values.get("transfer-encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self._exactly(size + 2)[:-2]
            trailers = self._fields()
        else:
            body = self._exactly(int(values.get("content-length", 0)))
        self.server.seen.append(Seen(line.decode("latin-1").rstrip(), headers, body, trailers))
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True

    def _fields(self) -> list[tuple[str, str]]:
        fields = []
        while (line := self.rfile.readline().decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            fields.append((name, value.strip()))
        return fields

    def _exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise ValueError("the body broke off")
        return data
