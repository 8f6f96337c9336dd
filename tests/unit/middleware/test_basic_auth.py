"""basicAuth."""

import asyncio
import base64
import os
from pathlib import Path

import bcrypt
import pytest

from edgerouter.http.message import Response
from edgerouter.middleware import password_check
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.basic_auth import Options, build
from tests.unit.middleware.exchange import Seen, request

BOB = "bob:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"
SLOW = "ann:" + bcrypt.hashpw(b"test", bcrypt.gensalt(11)).decode()


def authorization(user: str, password: str) -> tuple[bytes, bytes]:
    return b"Authorization", b"Basic " + base64.b64encode(f"{user}:{password}".encode())


async def ask(options: Options, *headers: tuple[bytes, bytes]) -> tuple[Response, Seen]:
    seen = Seen()
    handler = build(options, BuildContext("auth@file"))(seen)
    return await handler(request(headers=headers)), seen


async def test_a_right_password_passes() -> None:
    response, seen = await ask(Options((BOB,)), authorization("bob", "test"))
    assert response.status == 200
    assert seen.request is not None
    assert seen.request.exchange.user == "bob"
    assert seen.request.headers.has(b"authorization")


async def test_spaces_around_an_entry_do_not_count() -> None:
    response, _ = await ask(Options((f"  {BOB} ",)), authorization("bob", "test"))
    assert response.status == 200


@pytest.mark.parametrize(
    "header",
    [
        authorization("bob", "wrong"),
        authorization("eve", "test"),
        (b"Authorization", b"Bearer abc"),
        (b"Authorization", b"Basic ???"),
        (b"Authorization", b"Basic Ym9i"),
        (b"X-Other", b"1"),
    ],
)
async def test_everything_else_is_refused(header: tuple[bytes, bytes]) -> None:
    response, seen = await ask(Options((BOB,), realm='the "inner" circle'), header)
    assert response.status == 401
    assert response.headers.first(b"www-authenticate") == rb'Basic realm="the \"inner\" circle"'
    assert response.body.ready() == b"401 Unauthorized\n"
    assert seen.request is None


async def test_a_realm_is_sent_as_it_is_in_traefik() -> None:
    context = BuildContext("auth@file", as_traefik=True)
    response = await build(Options((BOB,), realm='a "b" \\c'), context)(Seen())(request())
    assert response.headers.first(b"www-authenticate") == b'Basic realm="a "b" \\c"'
    with pytest.raises(BuildError, match="realm"):
        build(Options((BOB,), realm="a\r\nX: y"), context)


async def test_the_header_of_the_user_cannot_be_forged() -> None:
    options = Options((BOB,), header_field="X-WebAuth-User", remove_header=True)
    forged = (b"x-webauth-user", b"admin")
    spelled = (b"X_WebAuth_User", b"admin")  # The same for CGI and WSGI applications.
    _, seen = await ask(options, forged, spelled, authorization("bob", "test"))
    assert seen.request is not None
    assert seen.request.headers == [(b"X-WebAuth-User", b"bob")]


async def test_an_emptied_file_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(BOB)
    handler = build(Options(users_file=str(path)), BuildContext("auth@file"))(Seen())
    path.write_text("")
    asked = request(headers=[authorization("bob", "test")])
    assert (await handler(asked)).status == 200
    async with asyncio.timeout(5):
        while (await handler(asked)).status == 200:
            await asyncio.sleep(0.05)
    assert (await handler(asked)).status == 401


async def test_a_slow_hash_does_not_hold_up_the_loop() -> None:
    handler = build(Options((SLOW,)), BuildContext("auth@file"))(Seen())
    loop = asyncio.get_running_loop()
    longest, last, running = 0.0, loop.time(), True

    async def watch() -> None:
        nonlocal longest, last
        while running:
            await asyncio.sleep(0)
            now = loop.time()
            longest, last = max(longest, now - last), now

    watching = asyncio.ensure_future(watch())
    begin = loop.time()
    response = await handler(request(headers=[authorization("ann", "test")]))
    first = loop.time() - begin
    running = False
    await watching
    assert response.status == 200
    assert longest < first / 2
    begin = loop.time()
    await handler(request(headers=[authorization("ann", "test")]))
    assert loop.time() - begin < first / 5  # Remembered.
    response = await handler(request(headers=[authorization("ann", "Test")]))
    assert response.status == 401


async def test_too_many_checks_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password_check, "LONGEST_QUEUE", 2)
    handler = build(Options((SLOW,)), BuildContext("auth@file"))(Seen())
    asked = [handler(request(headers=[authorization("ann", f"no{n}")])) for n in range(6)]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status for answer in answers) == [401, 401, 503, 503, 503, 503]


async def test_checks_let_requests_go_before() -> None:
    checks = password_check.PasswordCheck()
    await checks.check(b"key", b"no", SLOW.partition(":")[2])
    assert checks._threads is not None
    ids = [thread.native_id for thread in checks._threads._threads]
    theirs = {os.getpriority(os.PRIO_PROCESS, each) for each in ids if each is not None}
    assert min(theirs) > os.getpriority(os.PRIO_PROCESS, 0)
    checks._threads.shutdown()


def test_memory_is_bounded_and_holds_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password_check, "MEMORY", 3)
    checks = password_check.PasswordCheck()
    keys = [checks.key("bob", f"secret{n}".encode(), "hash") for n in range(5)]
    for key in keys:
        checks._remember(key)
    assert [checks.remembers(key) for key in keys] == [False, False, True, True, True]
    assert all(len(key) == 32 and b"secret" not in key for key in keys)
    assert checks.key("a", b"bc", "") != checks.key("ab", b"c", "")


async def test_a_changed_file_is_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerouter.middleware.user_file.CHECK_INTERVAL", 0.0)
    path = tmp_path / "users"
    path.write_text(f"# people\n\n{BOB}\n")
    handler = build(Options(users_file=str(path)), BuildContext("auth@file"))(Seen())

    async def status(user: str) -> int:
        return (await handler(request(headers=[authorization(user, "test")]))).status

    assert [await status("bob"), await status("eve")] == [200, 401]
    path.write_text(BOB.replace("bob", "eve"))
    os.utime(path, ns=(1, 1))
    assert [await status("bob"), await status("eve")] == [401, 200]
    path.write_text("nonsense")
    os.utime(path, ns=(2, 2))
    assert [await status("eve"), await status("eve")] == [200, 200]
    assert [record.message.count("entry 1") for record in caplog.records] == [1]
    path.unlink()
    assert await status("eve") == 200


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(), "no user"),
        (Options(("bob",)), "users: entry 1: expected user:hash"),
        (Options((BOB, "eve:geheim:x")), "users: entry 2"),
        (Options(users_file="/nowhere/users"), "usersFile: cannot read '/nowhere/users'"),
        (Options((BOB,), header_field="X User"), "headerField"),
        (Options((BOB,), header_field="Host"), "headerField: the router itself sets Host"),
        (Options((BOB,), header_field="te"), "headerField: the router itself sets te"),
        (Options((BOB,), realm="a\nb"), "realm"),
    ],
)
def test_options_that_cannot_work(options: Options, words: str) -> None:
    with pytest.raises(BuildError, match=words) as refused:
        build(options, BuildContext("auth@file"))
    assert "geheim" not in str(refused.value)


def test_an_unknown_kind_of_hash_is_reported_without_it() -> None:
    said: list[str] = []
    build(Options((BOB, "eve:geheim")), BuildContext("auth@file", warn=said.append))
    (doubt,) = said
    assert "'eve'" in doubt
    assert "geheim" not in doubt
