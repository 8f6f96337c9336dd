"""A router whose standard output nobody reads serves on, says what was lost, and ends when told."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.support.echo_server import EchoServer
from tests.support.eventually import ask, eventually
from tests.support.router_process import free_ports

TARGET = b"/" + b"x" * 3000


def get(client: socket.socket) -> bytes:
    """Send a request whose line in the access log is long; return what comes."""
    client.sendall(b"GET " + TARGET + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"}"):
        part = client.recv(65536)
        assert part, data
        data += part
    return data


def test_a_log_that_nobody_reads(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with EchoServer(["a"]) as echo:
        server = f"http://127.0.0.1:{echo.ports['a']}"
        (tmp_path / "dynamic.yml").write_text(
            "http: {routers: {a: {rule: Host(`a`), service: a}}, services: {a:"
            f" {{loadBalancer: {{servers: [{{url: '{server}'}}]}}}}}}}}"
        )
        ours, theirs = os.pipe()
        flags = [
            f"--entrypoints.web.address=127.0.0.1:{port}",
            f"--providers.file.filename={tmp_path / 'dynamic.yml'}",
            f"--edgerouter.internalca.storage={tmp_path / 'ca'}",
            "--edgerouter.workers=1",
            "--accesslog=true",
        ]
        process = subprocess.Popen(
            [sys.executable, "-m", "edgerouter", *flags], stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        try:
            eventually(lambda: ask(port, host="a").status, lambda status: status == 200)
            with socket.create_connection(("127.0.0.1", port), 10) as client:
                for _ in range(600):  # 1.8 MB of log: more than pipe and memory take.
                    assert get(client).startswith(b"HTTP/1.1 200 ")
                log = os.read(ours, 2**20)
                while b"Access log lines were lost" not in log:
                    get(client)
                    log += os.read(ours, 2**20)
            assert all(b'"GET /' in line for line in log.split(b"\n") if line.startswith(b"127."))
            with socket.create_connection(("127.0.0.1", port), 10) as client:
                for _ in range(100):  # Full again.
                    get(client)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait()
            os.close(ours)
