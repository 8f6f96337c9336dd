import os
import socket
from pathlib import Path

import pytest

from edgerouter_docker.ssh import SshTunnel, ssh_command


def test_command() -> None:
    command = ssh_command("ssh://deploy@far.example:2222")
    assert command[0] == "ssh"
    assert command[-9:] == [
        *("-l", "deploy", "-p", "2222", "--", "far.example"),
        *("docker", "system", "dial-stdio"),
    ]
    assert "BatchMode=yes" in command


@pytest.mark.parametrize(
    "endpoint", ["ssh://", "ssh://host/var/run/docker.sock", "ssh://me:secret@host", "ssh://h?x=1"]
)
def test_malformed(endpoint: str) -> None:
    with pytest.raises(ValueError, match="is not ssh://"):
        ssh_command(endpoint)


def test_an_option_cannot_be_smuggled_in_as_a_host() -> None:
    command = ssh_command("ssh://-oProxyCommand=x")
    assert command.index("--") < len(command) - 4


def test_connections_are_carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for ssh that echoes shows that both directions and the end are carried."""
    fake = tmp_path / "ssh"
    fake.write_text("#!/bin/sh\nexec cat\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with SshTunnel("ssh://far") as tunnel, socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(tunnel.path)
        connection.sendall(b"ping")
        assert connection.recv(4) == b"ping"
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert not Path(tunnel.path).exists()
