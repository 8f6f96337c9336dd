import logging
import socket
import stat
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.listeners import ListenError
from edgerouter.control.plane import (
    StartError,
    admin_socket,
    open_listeners,
    run,
    runtime_directory,
)


def static(**addresses: str) -> StaticConfiguration:
    points = {name: {"address": address} for name, address in addresses.items()}
    return StaticConfiguration.model_validate({"entryPoints": points})


def test_every_tcp_entry_point_is_opened_and_udp_is_announced(
    caplog: pytest.LogCaptureFixture,
) -> None:
    configuration = static(web="127.0.0.1:0", dns="127.0.0.1:0/udp")
    with caplog.at_level(logging.WARNING):
        (listener,) = open_listeners(configuration, 2)
    with closing(listener):
        assert listener.name == "web"
        assert len(listener.sockets) == 2
    assert [record.message for record in caplog.records] == ["UDP entry points are not served yet"]


def test_a_wrong_address_names_its_entry_point() -> None:
    with pytest.raises(ListenError, match=r'entry point "web" has a wrong address.*no port'):
        open_listeners(static(web="80"), 1)


def test_the_runtime_directory_is_private() -> None:
    directory = runtime_directory("")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    directory.rmdir()


def test_a_read_only_root_still_has_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    directory = runtime_directory("")
    assert directory.parent == Path("/dev/shm")
    directory.rmdir()


def test_a_chosen_directory_is_made(tmp_path: Path) -> None:
    assert runtime_directory(str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()


def test_a_directory_that_cannot_be_made_names_the_option() -> None:
    with pytest.raises(StartError, match=r"edgerouter\.runtimeDir: cannot make /proc/x"):
        runtime_directory("/proc/x")


def test_the_socket_of_the_api_is_private_and_replaces_a_stale_one(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with admin_socket(path):
        pass
    with admin_socket(path), socket.socket(socket.AF_UNIX) as client:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        client.connect(str(path))


def test_a_path_too_long_for_a_socket_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot open the socket of the API"):
        admin_socket(tmp_path / ("x" * 120))


def test_a_start_that_fails_logs_warnings_and_the_reason(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        log = {"filePath": str(tmp_path / "log"), "level": "WARN"}
        configuration = static(web=place).model_copy(
            update={"log": StaticConfiguration.model_validate({"log": log}).log}
        )
        assert run(configuration, [Diagnostic("warning", "an odd option")]) == 1
    written = (tmp_path / "log").read_text()
    assert "an odd option" in written
    assert "the port is taken" in written
    # The terminal says so too when the log goes elsewhere.
    assert f'edgerouter: entry point "web" cannot listen on {place}' in capfd.readouterr().err
    for handler in logging.getLogger().handlers[:]:
        if type(handler).__name__ == "LogHandler":
            logging.getLogger().removeHandler(handler)
            handler.close()
