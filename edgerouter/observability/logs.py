"""The program's own log: Traefik's levels and line formats on standard ``logging``.

A message is a short constant sentence; what varies goes into fields::

    log.info("Router disabled", extra=fields(router="api@docker", reason=reason))

Fields are formatted only when the line is written.
"""

import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from edgerouter.observability.output import Output
from edgerouter.observability.rotation import Rotation

TRACE = 5
PANIC = 60
LEVELS = {
    "TRACE": TRACE,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "PANIC": PANIC,
}
"""Traefik's names of the levels."""

_NAMES = {number: name.lower() for name, number in LEVELS.items()}
_SHORT = {
    TRACE: ("TRC", "34"),
    logging.DEBUG: ("DBG", ""),
    logging.INFO: ("INF", "32"),
    logging.WARNING: ("WRN", "33"),
    logging.ERROR: ("ERR", "31"),
    logging.CRITICAL: ("FTL", "31"),
    PANIC: ("PNC", "31"),
}
_CHATTY = ("asyncio", "aiohttp", "docker", "urllib3", "watchfiles")
_STDOUT, _STDERR = 1, 2

log = logging.getLogger(__name__)


def fields(**values: Any) -> dict[str, Any]:
    """Return ``extra`` for a log call that adds ``values`` to the line."""
    return {"fields": values}


def configure_logging(options: Mapping[str, Any], process: str) -> None:
    """Send all log records where the static options ``log`` say.

    ``process`` names this process on each of its lines (``worker-0``); empty
    leaves that out. A file that cannot be opened is reported on standard
    error, which then takes the log. Calling it again replaces what was.
    """
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, LogHandler):
            root.removeHandler(old)
            old.close()
    level = str(options.get("level") or "ERROR").upper()
    handler, error = _open(options)
    handler.setFormatter(_formatter(options, handler.output, process))
    root.addHandler(handler)
    root.setLevel(LEVELS.get(level, logging.ERROR))
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    logging.raiseExceptions = False
    if level not in LEVELS:
        known = ", ".join(LEVELS)
        log.error("Unknown log level, using ERROR", extra=fields(level=level, known=known))
    if error:
        log.error(
            "Cannot open the log file, logging to standard error",
            extra=fields(option="log.filePath", error=error),
        )


def reopen() -> None:
    """Open the log file anew (SIGUSR1, after an external tool has renamed it)."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogHandler):
            handler.reopen()


class LogHandler(logging.Handler):
    """Writes each record as one line with one system call."""

    def __init__(self, output: Output, rotation: Rotation) -> None:
        super().__init__()
        self.output = output
        self._rotation = rotation
        self._stderr = Output("", _STDERR)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self.output.path:
                self._rotation.apply(self.output)
        except OSError as error:
            self._complain(error)
        if lost := self.output.take_lost():
            self._write(_loss(lost))
        self._write(record)

    def _write(self, record: logging.LogRecord) -> None:
        line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
        try:
            self.output.write(line)
        except OSError as error:
            self._complain(error)

    def reopen(self) -> None:
        self.acquire()
        try:
            self.output.reopen()
        except OSError as error:
            self._complain(error)
        finally:
            self.release()

    def close(self) -> None:
        try:
            self.output.close()
        except OSError as error:
            self._complain(error)
        with suppress(OSError):
            self._stderr.close()
        super().close()

    def _complain(self, error: OSError) -> None:
        """Say on standard error that the log fails; there is no better place left."""
        text = (
            f"edgerouter: cannot write the log {self.output.path or '(standard output)'}: {error}\n"
        )
        with suppress(OSError):
            self._stderr.write(text.encode("utf-8", "backslashreplace"))


def _loss(lines: int) -> logging.LogRecord:
    message = "Log lines were lost: nobody read the log"
    extra = fields(lines=lines)
    return log.makeRecord(log.name, logging.WARNING, "", 0, message, (), None, extra=extra)


def _open(options: Mapping[str, Any]) -> tuple[LogHandler, str]:
    rotation = Rotation(
        max_size=options.get("maxSize") or 0,
        max_age=options.get("maxAge") or 0,
        max_backups=options.get("maxBackups") or 0,
        compress=bool(options.get("compress")),
    )
    try:
        return LogHandler(Output(options.get("filePath") or "", _STDOUT, 0o600), rotation), ""
    except OSError as error:
        return LogHandler(Output("", _STDERR), rotation), str(error)


def _formatter(options: Mapping[str, Any], output: Output, process: str) -> logging.Formatter:
    if str(options.get("format") or "common").lower() == "json":
        return JSONFormatter(process)
    colour = not options.get("noColor") and not output.path and os.isatty(output.fd)
    return LineFormatter(process, colour=colour)


class JSONFormatter(logging.Formatter):
    """One JSON object per line: level, the fields, time, message."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        values = {"level": _NAMES.get(record.levelno) or record.levelname.lower()}
        values |= _fields_of(record, self._process)
        values |= {"time": _time(record), "message": record.getMessage()}
        if stack := _stack(self, record):
            values["stack"] = stack
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=str)


class LineFormatter(logging.Formatter):
    """``2026-01-02T15:04:05Z INF message key=value``, coloured on a terminal."""

    def __init__(self, process: str, *, colour: bool) -> None:
        super().__init__()
        self._process = process
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        paint = _paint if self._colour else _plain
        short, colour = _SHORT.get(record.levelno) or (record.levelname[:3].upper(), "")
        parts = [paint(_time(record), "90"), paint(short, colour)]
        parts.append(paint(_one_line(record.getMessage()), "1" if record.levelno >= 20 else ""))
        for name, value in _fields_of(record, self._process).items():
            parts.append(paint(f"{name}=", "36") + _quoted(value))
        line = " ".join(parts)
        stack = _stack(self, record)
        return f"{line}\n{stack}" if stack else line


def _fields_of(record: logging.LogRecord, process: str) -> dict[str, Any]:
    values: dict[str, Any] = dict(getattr(record, "fields", ()))
    if record.exc_info and record.exc_info[1] is not None and "error" not in values:
        values["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
    if process:
        values["process"] = process
    return values


def _stack(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if record.exc_info and record.exc_info[0] is not None:
        return formatter.formatException(record.exc_info)
    return ""


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created).astimezone()
    text = moment.isoformat(timespec="seconds")
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def _quoted(value: Any) -> str:
    """Return ``value`` as one word; quoted when it holds blanks, quotes or control characters."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, list | tuple | dict | set | frozenset):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain_data)
    text = str(value)
    if text and text.isprintable() and not any(letter in text for letter in ' "\\'):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _plain_data(value: Any) -> Any:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def _one_line(message: str) -> str:
    return message if message.isprintable() else " ".join(message.split())


def _paint(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def _plain(text: str, _colour: str) -> str:
    return text
