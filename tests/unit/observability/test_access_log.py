"""The access log against lines that the real Traefik 3.7 wrote, and its filters and files."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from edgerouter.http.headers import Headers
from edgerouter.http.message import Exchange, Peer, Request
from edgerouter.observability.access_log import AccessLog

MOMENT = 1795479117.250000000  # 2026-11-24T00:11:57.25Z, exact in binary
NOTHING = Headers()


def make_request(**changes: Any) -> Request:
    request = Request()
    request.method = "GET"
    request.scheme = "http"
    request.authority = "a.test"
    request.host = "a.test"
    request.path = "/p"
    request.query = "q=1"
    request.version = (1, 1)
    request.headers = Headers()
    for name, value in changes.items():
        setattr(request, name, value)
    return request


def make_exchange(**changes: Any) -> Exchange:
    exchange = Exchange()
    exchange.start = MOMENT
    exchange.router = exchange.service = "a@file"
    exchange.server = "http://127.0.0.1:34049"
    exchange.status = exchange.origin_status = 200
    exchange.response_size = exchange.origin_size = 5
    exchange.origin_duration = 0.0625
    for name, value in changes.items():
        setattr(exchange, name, value)
    return exchange


def rejected() -> Exchange:
    exchange = Exchange()
    exchange.start = MOMENT
    exchange.status = 400
    exchange.response_size = 15
    exchange.error = "no Host"
    return exchange


PEER = Peer("127.0.0.1", 50490, "web")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr("time.time", lambda: MOMENT + 0.125)


def written(
    tmp_path: Path,
    options: dict[str, Any],
    request: Request | None,
    exchange: Exchange,
    headers: Headers = NOTHING,
) -> str:
    path = tmp_path / "access.log"
    access_log = AccessLog({**options, "filePath": str(path)})
    access_log.log(PEER, exchange, request, headers)
    access_log.close()
    return path.read_text(encoding="utf-8", errors="surrogateescape")


KEEP = {"fields": {"headers": {"defaultMode": "keep"}}}
DATE = "[24/Nov/2026:00:11:57 +0000]"
COMMON = [
    pytest.param(
        {},
        make_request(headers=Headers([(b"User-Agent", b"curl"), (b"Referer", b"r")])),
        make_exchange(),
        f'127.0.0.1 - - {DATE} "GET /p?q=1 HTTP/1.1" 200 5 "-" "-" 1 "a@file" '
        '"http://127.0.0.1:34049" 125ms\n',
        id="headers are dropped by default",
    ),
    pytest.param(
        KEEP,
        make_request(headers=Headers([(b"referer", b'a"b\\'), (b"User-Agent", b'\xff\xe9\t"x"')])),
        make_exchange(user="u"),
        f'127.0.0.1 - u {DATE} "GET /p?q=1 HTTP/1.1" 200 5 "a\\"b\\" "\udcff\udce9\t\\"x\\"" 1 '
        '"a@file" "http://127.0.0.1:34049" 125ms\n',
        id="quotes are escaped, bytes pass",
    ),
    pytest.param(
        {"fields": {"headers": {"names": {"user-agent": "redact"}}}},
        make_request(headers=Headers([(b"User-Agent", b"curl")]), query=""),
        make_exchange(),
        f'127.0.0.1 - - {DATE} "GET /p? HTTP/1.1" 200 5 "-" "REDACTED" 1 "a@file" '
        '"http://127.0.0.1:34049" 125ms\n',
        id="redacted agent, empty query",
    ),
    pytest.param(
        {},
        make_request(version=(1, 0), query=None, headers=Headers([(b"X-Forwarded-For", b"1, 2")])),
        make_exchange(router="", server="", status=404, response_size=19),
        f'1, 2 - - {DATE} "GET /p HTTP/1.0" 404 19 "-" "-" 1 "-" "-" 125ms\n',
        id="no router, forwarded for",
    ),
    pytest.param(
        {"format": "genericCLF"},
        make_request(query=None),
        make_exchange(user="a\nb"),
        f'127.0.0.1 - a\\nb {DATE} "GET /p HTTP/1.1" 200 5 "-" "-"\n',
        id="generic, line break in the user name",
    ),
    pytest.param(
        {"fields": {"names": {"downstreamStatus": "drop", "Duration": "drop", "StartUTC": "drop"}}},
        make_request(query=None),
        make_exchange(),
        f'127.0.0.1 - - {DATE} "GET /p HTTP/1.1" - 5 "-" "-" 1 "a@file" '
        '"http://127.0.0.1:34049" 0ms\n',
        id="dropped fields",
    ),
    pytest.param(
        {"fields": {"defaultMode": "drop", "names": {"RequestPath": "keep"}}},
        make_request(query=None),
        make_exchange(),
        '- - - [-] "- /p -" - - "-" "-" - "-" "-" 0ms\n',
        id="everything dropped but one",
    ),
    pytest.param(
        {"fields": {"queryParameters": {"defaultMode": "drop"}}, "format": "genericCLF"},
        make_request(query="secret=1"),
        make_exchange(),
        f'127.0.0.1 - - {DATE} "GET /p HTTP/1.1" 200 5 "-" "-"\n',
        id="query dropped",
    ),
    pytest.param(
        {},
        None,
        rejected(),
        f'127.0.0.1 - - {DATE} "- - -" 400 15 "-" "-" 1 "-" "-" 125ms\n',
        id="a request that could not be read",
    ),
]


@pytest.mark.parametrize(("options", "request_", "exchange", "line"), COMMON)
def test_text_line(
    tmp_path: Path, options: dict[str, Any], request_: Request, exchange: Exchange, line: str
) -> None:
    assert written(tmp_path, options, request_, exchange) == line


def test_json_line(tmp_path: Path) -> None:
    headers = Headers([(b"content-length", b"5"), (b"X-A", b"1"), (b"x-a", b"2")])
    exchange = make_exchange(origin_size=10, origin_headers=headers, retries=2, request_size=3)
    request = make_request(
        authority="[::1]:80", headers=Headers([(b"User-Agent", b"caf\xc3\xa9 \xff")])
    )
    options = {
        "format": "json",
        "fields": {"headers": {"names": {"User-agent": "keep", "x-a": "keep", "foo": "redact"}}},
    }
    line = written(tmp_path, options, request, exchange, Headers([(b"Foo", b"secret")]))
    assert line.count("\n") == 1
    assert json.loads(line) == {
        "ClientAddr": "127.0.0.1:50490",
        "ClientHost": "127.0.0.1",
        "ClientPort": "50490",
        "ClientUsername": "-",
        "DownstreamContentSize": 5,
        "DownstreamStatus": 200,
        "Duration": 125_000_000,
        "GzipRatio": 2.0,
        "OriginContentSize": 10,
        "OriginDuration": 62_500_000,
        "OriginStatus": 200,
        "Overhead": 62_500_000,
        "RequestAddr": "[::1]:80",
        "RequestContentSize": 3,
        "RequestCount": 1,
        "RequestHost": "::1",
        "RequestMethod": "GET",
        "RequestPath": "/p?q=1",
        "RequestPort": "80",
        "RequestProtocol": "HTTP/1.1",
        "RequestScheme": "http",
        "RetryAttempts": 2,
        "RouterName": "a@file",
        "ServiceAddr": "127.0.0.1:34049",
        "ServiceName": "a@file",
        "ServiceURL": "http://127.0.0.1:34049",
        "StartLocal": "2026-11-24T00:11:57.250000000Z",
        "StartUTC": "2026-11-24T00:11:57.250000000Z",
        "downstream_Foo": "REDACTED",
        "entryPointName": "web",
        "level": "info",
        "msg": "",
        "origin_X-A": "1,2",
        "request_User-Agent": "café \ufffd",
        "time": "2026-11-24T00:11:57Z",
    }


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"origin_length": 7, "origin_size": 0}, {"origin_": "7", "downstream_": "7"}),
        ({"origin_length": 0, "origin_size": 0}, {"origin_": "0", "downstream_": "0"}),
        ({"origin_length": 7, "origin_size": 7}, {"origin_": "7"}),
        ({"origin_length": 7, "origin_size": 0, "status": 500}, {"origin_": "7"}),
        ({"origin_length": 0, "origin_size": 0, "origin_status": 204, "status": 204}, {}),
        ({"origin_length": None}, {}),
    ],
)
def test_the_length_the_server_gave_is_logged(
    tmp_path: Path, facts: dict[str, Any], expected: dict[str, str]
) -> None:
    options = {"format": "json", "fields": {"headers": {"names": {"Content-Length": "keep"}}}}
    record = json.loads(written(tmp_path, options, make_request(), make_exchange(**facts)))
    name = "Content-Length"
    found = {key.removesuffix(name): record[key] for key in record if key.endswith(name)}
    assert found == expected


def test_a_server_that_did_not_answer_has_the_status_made_up_for_it(tmp_path: Path) -> None:
    exchange = make_exchange(status=502, origin_status=0, origin_size=0, response_size=11)
    record = json.loads(written(tmp_path, {"format": "json"}, make_request(), exchange))
    assert (record["OriginStatus"], record["OriginContentSize"]) == (502, 11)
    assert "GzipRatio" not in record


def test_without_a_server_there_is_no_origin(tmp_path: Path) -> None:
    record = json.loads(written(tmp_path, {"format": "json"}, make_request(), rejected()))
    assert (record["OriginStatus"], record["OriginContentSize"]) == (0, 0)


def test_an_unchanged_body_has_the_same_size_at_the_origin(tmp_path: Path) -> None:
    exchange = make_exchange(origin_size=0, response_size=7)
    record = json.loads(written(tmp_path, {"format": "json"}, make_request(), exchange))
    assert record["OriginContentSize"] == 7
    assert "GzipRatio" not in record


def test_json_line_of_an_unreadable_request_names_the_error(tmp_path: Path) -> None:
    record = json.loads(written(tmp_path, {"format": "json"}, None, rejected()))
    assert record["error"] == "no Host"
    assert record["DownstreamStatus"] == 400
    assert "RequestPath" not in record
    assert "RouterName" not in record


def test_json_default_mode_drop_keeps_the_named_fields_and_the_envelope(tmp_path: Path) -> None:
    options = {
        "format": "json",
        "fields": {"defaultMode": "drop", "names": {"requestpath": "keep", "StartUTC": "keep"}},
    }
    record = json.loads(written(tmp_path, options, make_request(), make_exchange()))
    assert set(record) == {"RequestPath", "StartUTC", "level", "msg", "time"}


FILTERS = [
    ({}, {}, True),
    ({"statusCodes": ["200", "300-302"]}, {"status": 200}, True),
    ({"statusCodes": ["200", "300-302"]}, {"status": 301}, True),
    ({"statusCodes": ["200", "300-302"]}, {"status": 303}, False),
    ({"statusCodes": ["abc", "1-9999999999"]}, {"status": 303}, True),
    ({"retryAttempts": True}, {}, False),
    ({"retryAttempts": True}, {"retries": 1}, True),
    ({"minDuration": 0.1}, {}, True),
    ({"minDuration": 0.125}, {}, False),
    ({"minDuration": 9, "statusCodes": ["200"]}, {}, True),
    ({"minDuration": 9, "retryAttempts": True, "statusCodes": ["500"]}, {}, False),
]


@pytest.mark.parametrize(("filters", "facts", "kept"), FILTERS)
def test_filters_are_alternatives(
    tmp_path: Path, filters: dict[str, Any], facts: dict[str, Any], kept: bool
) -> None:
    line = written(tmp_path, {"filters": filters}, make_request(), make_exchange(**facts))
    assert bool(line) is kept


def test_internal_services_are_logged_on_demand(tmp_path: Path) -> None:
    exchange = make_exchange(service="ping@internal")
    assert written(tmp_path, {}, make_request(), exchange) == ""
    assert written(tmp_path, {"addInternals": True}, make_request(), exchange)


async def test_buffered_lines_are_written_together_or_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerouter.observability.access_log._LONGEST_DELAY", 0.01)
    path = tmp_path / "access.log"
    access_log = AccessLog({"filePath": str(path), "bufferingSize": 3})
    for expected in (0, 0, 3):
        access_log.log(PEER, make_exchange(), make_request(), NOTHING)
        assert len(path.read_text().splitlines()) == expected
    access_log.log(PEER, make_exchange(), make_request(), NOTHING)
    async with asyncio.timeout(5):
        while len(path.read_text().splitlines()) < 4:
            await asyncio.sleep(0.005)
    access_log.close()


def test_reopen_follows_a_rename_and_two_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "access.log"
    one, two = (AccessLog({"filePath": str(path), "format": "json"}) for _ in range(2))
    for access_log in (one, two, one):
        access_log.log(PEER, make_exchange(), make_request(), NOTHING)
    old = path.rename(tmp_path / "old")
    one.reopen()
    one.log(PEER, make_exchange(), make_request(), NOTHING)
    two.log(PEER, make_exchange(), make_request(), NOTHING)
    counts = [json.loads(line)["RequestCount"] for line in old.read_text().splitlines()]
    assert counts == [1, 1, 2, 2]
    assert len(path.read_text().splitlines()) == 1
    one.close()
    two.close()


def test_a_bad_path_is_reported_and_reopen_tries_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "logs"
    directory.write_text("a file where a directory should be")
    access_log = AccessLog({"filePath": str(directory / "access.log")})
    access_log.log(PEER, make_exchange(), make_request(), NOTHING)
    record = caplog.records[0]
    assert "Cannot open the access log" in record.message
    assert "logs" in record.__dict__["fields"]["error"]
    directory.unlink()
    access_log.reopen()
    access_log.log(PEER, make_exchange(), make_request(), NOTHING)
    access_log.close()
    assert len((directory / "access.log").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "xml"}, "Unknown access log format"),
        ({"filters": {"statusCodes": ["2xx"]}}, "Not a status code"),
    ],
)
def test_what_it_cannot_do_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, options: dict[str, Any], message: str
) -> None:
    assert written(tmp_path, options, make_request(), make_exchange())
    assert re.search(message, caplog.text)
