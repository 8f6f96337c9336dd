import logging
import socket
from contextlib import closing
from pathlib import Path

import pytest

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.listeners import ListenError
from edgerouter.control.plane import open_listeners, run


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
    (record,) = caplog.records
    assert record.message == "UDP is not served yet, nothing listens for this entry point"
    assert record.__dict__["fields"] == {"entryPointName": "dns", "address": "127.0.0.1:0/udp"}


def test_a_wrong_address_names_its_entry_point() -> None:
    with pytest.raises(ListenError, match=r'entry point "web" has a wrong address.*no port'):
        open_listeners(static(web="80"), 1)


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
