"""Line formats, levels, files and rotation of the program's own log."""

import gzip
import json
import logging
import os
import pty
import re
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edgerouter.observability.logs import (
    TRACE,
    JSONFormatter,
    LineFormatter,
    LogHandler,
    configure_logging,
    fields,
    reopen,
)
from edgerouter.observability.output import Output
from edgerouter.observability.rotation import Rotation

log = logging.getLogger("edgerouter.test")


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    logging.raiseExceptions = True
    for handler in root.handlers[:]:
        if isinstance(handler, LogHandler):
            root.removeHandler(handler)
            handler.close()
    for name in ("asyncio", "aiohttp", "docker", "urllib3", "watchfiles"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def make_record(
    message: str = "Router disabled", level: int = logging.INFO, **values: Any
) -> logging.LogRecord:
    record = logging.LogRecord("x", level, __file__, 1, message, (), None)
    record.created = 1767366245.75
    record.__dict__.update(fields(**values))
    return record


LINES = [
    ({}, "2026-01-02T15:04:05Z INF Router disabled"),
    ({"router": "api@docker"}, "2026-01-02T15:04:05Z INF Router disabled router=api@docker"),
    ({"a": "two words"}, '2026-01-02T15:04:05Z INF Router disabled a="two words"'),
    ({"a": 'x"y'}, '2026-01-02T15:04:05Z INF Router disabled a="x\\"y"'),
    ({"a": "x\ny"}, '2026-01-02T15:04:05Z INF Router disabled a="x\\ny"'),
    ({"a": ""}, '2026-01-02T15:04:05Z INF Router disabled a=""'),
    ({"a": 1, "b": True, "c": None}, "2026-01-02T15:04:05Z INF Router disabled a=1 b=true c=null"),
    ({"a": ["x", 2]}, '2026-01-02T15:04:05Z INF Router disabled a=["x",2]'),
    ({"a": {"k"}}, '2026-01-02T15:04:05Z INF Router disabled a=["k"]'),
    ({"a": "café"}, "2026-01-02T15:04:05Z INF Router disabled a=café"),
]


@pytest.mark.parametrize(("values", "line"), LINES)
def test_line(values: dict[str, Any], line: str) -> None:
    assert LineFormatter("", colour=False).format(make_record(**values)) == line


def test_line_names_the_process_and_stays_one_line() -> None:
    line = LineFormatter("worker-0", colour=False).format(make_record("two\nlines", a=1))
    assert line == "2026-01-02T15:04:05Z INF two lines a=1 process=worker-0"


def test_coloured_line() -> None:
    line = LineFormatter("", colour=True).format(make_record(a=1))
    assert line == (
        "\x1b[90m2026-01-02T15:04:05Z\x1b[0m \x1b[32mINF\x1b[0m "
        "\x1b[1mRouter disabled\x1b[0m \x1b[36ma=\x1b[0m1"
    )


def test_json_line() -> None:
    line = JSONFormatter("worker-1").format(make_record(level=TRACE, a={"k": 1}, b=Path("/x")))
    assert json.loads(line) == {
        "level": "trace",
        "a": {"k": 1},
        "b": "/x",
        "process": "worker-1",
        "time": "2026-01-02T15:04:05Z",
        "message": "Router disabled",
    }


@pytest.mark.parametrize("form", ["json", "common"])
def test_traceback(form: str, tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    configure_logging({"level": "info", "format": form, "filePath": str(path)}, "")
    try:
        raise ValueError("broken\npart")
    except ValueError:
        log.exception("Provider failed", extra=fields(provider="docker"))
    text = path.read_text()
    assert "Provider failed" in text
    assert "Traceback" in text
    if form == "json":
        record = json.loads(text)
        assert record["error"] == "ValueError: broken\npart"
        assert record["provider"] == "docker"
    else:
        assert r'error="ValueError: broken\npart"' in text.splitlines()[0]


@pytest.mark.parametrize(
    ("level", "kept"),
    [("TRACE", 6), ("debug", 5), ("INFO", 4), ("warn", 3), ("ERROR", 2), ("PANIC", 0), ("", 2)],
)
def test_levels(tmp_path: Path, level: str, kept: int) -> None:
    path = tmp_path / "x.log"
    configure_logging({"level": level, "filePath": str(path)}, "")
    log.log(TRACE, "m")
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(log, name)("m")
    assert len(path.read_text().splitlines()) == kept


def test_unknown_level_falls_back_to_error_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    configure_logging({"level": "loud", "filePath": str(path)}, "")
    log.warning("m")
    assert "Unknown log level, using ERROR level=LOUD" in path.read_text()
    assert len(path.read_text().splitlines()) == 1


def test_chatty_libraries_are_quiet(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    configure_logging({"level": "DEBUG", "filePath": str(path)}, "")
    logging.getLogger("urllib3.connectionpool").debug("m")
    assert path.read_text() == ""


def test_standard_output_without_a_path(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging({"level": "INFO"}, "")
    configure_logging({"level": "INFO"}, "")
    log.info("Hello")
    assert capfd.readouterr().out.endswith("Z INF Hello\n")


@pytest.mark.parametrize(("no_color", "coloured"), [(False, True), (True, False)])
def test_colours_on_a_terminal_only(no_color: bool, coloured: bool) -> None:
    main, terminal = pty.openpty()
    saved = os.dup(1)
    try:
        os.dup2(terminal, 1)
        configure_logging({"level": "INFO", "noColor": no_color}, "")
        log.info("Hello")
        for handler in logging.getLogger().handlers:
            if isinstance(handler, LogHandler):
                handler.close()
    finally:
        os.dup2(saved, 1)
        os.close(saved)
    text = os.read(main, 1000)
    os.close(main)
    os.close(terminal)
    assert (b"\x1b[" in text) is coloured


def test_a_bad_path_is_reported_and_standard_error_takes_over(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    configure_logging({"level": "INFO", "filePath": str(file / "x.log")}, "")
    log.info("Still here")
    errors = capfd.readouterr().err
    assert "Cannot open the log file, logging to standard error option=log.filePath" in errors
    assert str(file) in errors
    assert "Still here" in errors


def test_a_moved_file_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    configure_logging({"level": "INFO", "filePath": str(path)}, "")
    log.info("one")
    old = path.rename(tmp_path / "old")
    log.info("two")
    path.unlink()
    reopen()
    assert path.exists()
    assert old.read_text().endswith("one\n")
    assert path.stat().st_mode & 0o777 == 0o600


def wait_for_rotation() -> None:
    for thread in threading.enumerate():
        if thread.name == "log rotation":
            thread.join(5)


def test_rotation_at_the_size_limit_by_one_of_two_processes(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"o" * 1024 * 1024)
    outputs = [Output(str(path), 1, 0o600) for _ in range(2)]
    handlers = [LogHandler(output, Rotation(max_size=1, compress=True)) for output in outputs]
    for handler in handlers:
        handler.emit(make_record())
        handler.close()
    wait_for_rotation()
    assert path.read_text() == "Router disabled\n" * 2
    (old,) = tmp_path.glob("x-*.log.gz")
    assert len(gzip.decompress(old.read_bytes())) == 1024 * 1024


def test_old_files_go_by_number_and_by_age(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    now = datetime.now(UTC)
    ages = (0, 1, 2, 8, 9)
    files = []
    for age in ages:
        stamp = (now - timedelta(days=age)).strftime("%Y-%m-%dT%H-%M-%S")
        files.append(tmp_path / f"x-{stamp}.000.log")
    foreign = tmp_path / "x-notes.log"
    for file in [*files, foreign]:
        file.write_text("x")
    Rotation(max_age=7).tidy(path)
    assert [file.exists() for file in files] == [True, True, True, False, False]
    Rotation(max_backups=2).tidy(path)
    assert [file.exists() for file in files] == [True, True, False, False, False]
    assert foreign.exists()


def test_a_full_disk_does_not_stop_the_program(capfd: pytest.CaptureFixture[str]) -> None:
    if sys.platform != "linux":
        pytest.skip("/dev/full")
    handler = LogHandler(Output("/dev/full", 1), Rotation(max_size=1))
    handler.emit(make_record())
    handler.close()
    assert "cannot write the log /dev/full" in capfd.readouterr().err


def test_lines_that_nobody_read_are_told_of_when_somebody_does() -> None:
    ours, theirs = os.pipe()
    handler = LogHandler(Output("", theirs), Rotation())
    handler.setFormatter(LineFormatter("", colour=False))
    for _ in range(1200):  # Of 1 KB each: more than a pipe and what may wait.
        handler.emit(make_record("x" * 1000))
    text = b""
    told = re.compile(rb" WRN Log lines were lost: nobody read the log lines=[1-9]\d*\n")
    while not told.search(text):
        text += os.read(ours, 65536)
        handler.emit(make_record())
    handler.close()
    os.close(ours)
    os.close(theirs)
