"""``ssh://`` endpoints: a private Unix socket whose connections are carried by the ssh client.

Each accepted connection becomes the standard input and output of one
``ssh host docker system dial-stdio``, as the ``docker`` command does it. The user's
ssh configuration, keys and known hosts apply; nothing is ever asked.
"""

import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class SshTunnel:
    """Context manager; ``path`` is the socket that leads to the far engine."""

    def __init__(self, endpoint: str) -> None:
        self._command = ssh_command(endpoint)
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = threading.Thread(target=self._accept, name="docker-ssh", daemon=True)
        self._clients: list[subprocess.Popen[bytes]] = []
        self.path = ""

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="edgerouter-ssh-")
        self.path = str(Path(self._directory.name) / "docker.sock")
        self._listener.bind(self.path)
        self._listener.listen()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # Ends accept().
        self._thread.join()
        self._listener.close()
        for client in self._clients:
            client.terminate()
            client.wait()
        if self._directory is not None:
            self._directory.cleanup()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._clients = [client for client in self._clients if client.poll() is None]
                self._clients.append(
                    subprocess.Popen(  # noqa: S603 - a list without a shell, after "--".
                        self._command, stdin=connection.fileno(), stdout=connection.fileno()
                    )
                )


def ssh_command(endpoint: str) -> list[str]:
    """Return the ssh command for ``ssh://[user@]host[:port]``.

    Raises:
        ValueError: The endpoint has no host, or more than user, host and port.
    """
    parts = urlsplit(endpoint)
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.password:
        raise ValueError(f'"{endpoint}" is not ssh://[user@]host[:port]')
    user = ["-l", parts.username] if parts.username else []
    port = ["-p", str(parts.port)] if parts.port else []
    limits = ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30"]
    return ["ssh", *limits, *user, *port, "--", parts.hostname, "docker", "system", "dial-stdio"]
