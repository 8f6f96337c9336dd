"""A server that answers when it is told to."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager


class HeldUpstream:
    """Requests are read and held until ``answer``."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self.port: int = self._listener.getsockname()[1]
        self.held: list[socket.socket] = []

    def accept(self) -> None:
        """Wait for one more request, read it and hold it."""
        connection, _ = self._listener.accept()
        connection.settimeout(10)
        self.held.append(connection)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(65536)

    @contextmanager
    def asked(self, port: int, host: str) -> Iterator[None]:
        """Have a request come through the router on ``port``, and hold it; try till it comes."""
        while True:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                ready, _, _ = select.select([self._listener, client], [], [], 10)
                if client in ready:
                    continue  # It was refused.
                self.accept()
                yield
                return

    def answer(self) -> None:
        """Answer the request that came last."""
        self.held[-1].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        for connection in self.held:
            connection.close()
        self._listener.close()


@contextmanager
def held_upstream() -> Iterator[HeldUpstream]:
    server = HeldUpstream()
    try:
        yield server
    finally:
        server.close()
