"""With ``edgerouter.compat=traefik`` all is forgotten with each configuration, as in Traefik."""

import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edgerouter.middleware.user_file import CHECK_INTERVAL
from tests.oracle.case import get
from tests.oracle.conftest import Subject
from tests.oracle.test_digest import ask, reply
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.traefik import traefik

_HA1 = hashlib.md5(b"bob:traefik:test", usedforsecurity=False).hexdigest()
_SHA = "bob:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="
"""The password is test."""
_BOB = "Authorization: Basic Ym9iOnRlc3Q="
_FAILING = "X-Echo: " + json.dumps({"status": 500})


Running = tuple[str, Subject, Callable[..., dict[str, Any]], Path]
"""Which router, itself, its configuration with more routers, and the file of users."""


def dynamic(url: str, users: Path, silent: int, *more: str) -> dict[str, Any]:
    """Return a router for each middleware, and one for each of ``more``.

    On the port ``silent`` connections are taken, and nobody ever says a word.
    """
    redis = {"endpoints": [f"127.0.0.1:{silent}"], "readTimeout": "1500ms"}
    tripped = "ResponseCodeRatio(500, 600, 0, 600) > 0.99"
    middlewares: dict[str, Any] = {
        "limit": {"rateLimit": {"average": 1, "period": "1h"}},
        "one": {"inFlightReq": {"amount": 1}},
        "breaker": {"circuitBreaker": {"expression": tripped, "checkPeriod": "1ms"}},
        "digest": {"digestAuth": {"users": [f"bob:traefik:{_HA1}"]}},
        "file": {"basicAuth": {"usersFile": str(users)}},
        "silent": {"rateLimit": {"average": 100, "burst": 100, "redis": redis}},
    }
    routers: dict[str, Any] = {
        name: {"rule": f"Host(`{name}.test`)", "middlewares": [name], "service": "s"}
        for name in middlewares
    }
    routers["digest"]["rule"] = "Host(`da.n.test`)"
    routers |= {name: {"rule": f"Host(`{name}.test`)", "service": "s"} for name in more}
    services = {"s": {"loadBalancer": {"servers": [{"url": url}]}}}
    return {"http": {"routers": routers, "services": services, "middlewares": middlewares}}


@pytest.fixture(scope="module", params=["real", "compatible", "default"])
def running(
    request: pytest.FixtureRequest, echo: EchoServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Traefik, and edgerouter with the switch and without."""
    directory = tmp_path_factory.mktemp(request.param)
    users = directory / "users"
    users.write_text(_SHA)
    url = f"http://127.0.0.1:{echo.ports['api']}"
    silent = socket.create_server(("127.0.0.1", 0))
    configured = partial(dynamic, url, users, silent.getsockname()[1])
    if request.param == "real":
        process = traefik(directory, ["web"], {}, configured())
    else:
        compat = {"edgerouter.compat": "traefik"} if request.param == "compatible" else {}
        process = edgerouter(directory, ["web"], compat, configured())
    with silent, process:
        yield request.param, Subject(process, echo), configured, users


def status(subject: Subject, name: str, *headers: str) -> int:
    (answer,) = get(name, "/", f"{name}.test", *headers).run(subject.process.ports["web"])
    return answer.status


def test_what_is_forgotten_with_a_configuration(running: Running, echo: EchoServer) -> None:
    kind, subject, configured, _ = running
    assert [status(subject, "limit"), status(subject, "limit")] == [200, 429]
    while status(subject, "breaker", _FAILING) != 503:
        pass
    challenge = ask(subject)[1]
    assert ask(subject, reply(challenge))[0] == 200
    asked = echo.asked
    with socket.create_connection(("127.0.0.1", subject.process.ports["web"])) as waiting:
        slow = "X-Echo: " + json.dumps({"delay": 30})
        waiting.sendall(f"GET / HTTP/1.1\r\nHost: one.test\r\n{slow}\r\n\r\n".encode())
        while echo.asked == asked:
            time.sleep(0.01)
        assert status(subject, "one") == 429
        subject.process.apply(configured("more"))
        forgets = kind != "default"
        assert status(subject, "one") == (200 if forgets else 429)
    assert status(subject, "limit") == (200 if forgets else 429)
    assert status(subject, "breaker") == (200 if forgets else 503)
    again = ask(subject, reply(challenge, nc="00000002"))
    assert again[0] == (401 if forgets else 200)
    assert "stale" not in again[1]


def test_a_file_of_users_is_read_with_a_configuration(running: Running) -> None:
    kind, subject, configured, users = running
    assert status(subject, "file", _BOB) == 200
    users.write_text(_SHA.replace("bob", "eve"))
    time.sleep(CHECK_INTERVAL + 0.2)
    assert status(subject, "file", _BOB) == (401 if kind == "default" else 200)
    subject.process.apply(configured("again"))
    assert status(subject, "file", _BOB) == 401


def test_redis_is_waited_for_as_long_as_the_options_say(running: Running) -> None:
    kind, subject, _, _ = running
    for _ in range(2):
        start = time.monotonic()
        answered = status(subject, "silent")
        is_patient = time.monotonic() - start > 1.4
        assert (answered, is_patient) == ((200, False) if kind == "default" else (500, True))
