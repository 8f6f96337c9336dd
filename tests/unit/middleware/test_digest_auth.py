"""digestAuth."""

import hashlib
import re
import time

import pytest

from edgerouter.http.message import Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.digest_auth import (
    LIFETIME,
    Digest,
    Options,
    build,
    parameters,
    parse_user,
)
from edgerouter.middleware.user_file import Users
from edgerouter.shared.memory import private
from tests.unit.middleware.exchange import Seen, request


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


BOB = f"bob:traefik:{md5('bob:traefik:test')}"


def reply(challenge: bytes, **changes: str) -> tuple[bytes, bytes]:
    """Answer a challenge as a browser does."""
    given = dict(re.findall(r'(\w+)="([^"]*)"', challenge.decode()))
    values = {
        "username": "bob",
        "password": "test",
        "uri": "/a?b=c",
        "nc": "00000001",
        "cnonce": "xyz",
        "method": "GET",
        **given,
        **changes,
    }
    secret = md5(f"{values['username']}:{values['realm']}:{values['password']}")
    target = md5(f"{values['method']}:{values['uri']}")
    middle = ":".join(values[name] for name in ("nonce", "nc", "cnonce", "qop"))
    values["response"] = changes.get("response") or md5(f"{secret}:{middle}:{target}")
    names = ("username", "realm", "nonce", "uri", "response", "opaque", "cnonce", "algorithm")
    quoted = ", ".join(f'{name}="{values[name]}"' for name in names)
    return b"Authorization", f"Digest {quoted}, qop={values['qop']}, nc={values['nc']}".encode()


@pytest.mark.parametrize("junk", [b"a", b" ", b"a" + b" " * 20, b"a=b" + b" " * 20, b'"', b","])
def test_no_client_chooses_how_long_reading_takes(junk: bytes) -> None:
    """A head may have a megabyte: what took its square would stop everything else for hours."""
    value = b"Digest " + junk * (1_000_000 // len(junk)) + b"x"
    start = time.process_time()
    assert parameters(value) is None
    assert time.process_time() - start < 1


class Client:
    def __init__(self, options: Options) -> None:
        self.seen = Seen()
        self.handler = build(options, BuildContext("auth@file"))(self.seen)
        self.challenge = b""

    async def ask(self, *headers: tuple[bytes, bytes]) -> Response:
        sent = request("/a", query="b=c", headers=headers)
        response = await self.handler(sent)
        self.challenge = response.headers.first(b"www-authenticate") or self.challenge
        return response


async def test_a_right_answer_passes_once() -> None:
    client = Client(Options((BOB,), header_field="X-User", remove_header=True))
    refusal = await client.ask()
    assert (refusal.status, refusal.body.ready()) == (401, b"401 Unauthorized\n")
    first = reply(client.challenge)
    assert (await client.ask(first)).status == 200
    assert client.seen.request is not None
    assert client.seen.request.headers == [(b"X-User", b"bob")]
    assert client.seen.request.exchange.user == "bob"
    challenge = client.challenge
    assert (await client.ask(first)).status == 401  # The count was used.
    assert (await client.ask(reply(challenge, nc="00000002"))).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong"},
        {"username": "eve"},
        {"uri": "/other"},
        {"method": "POST"},
        {"opaque": "0"},
        {"algorithm": "SHA-256"},
        {"qop": "auth-int"},
        {"nonce": "5f000000-00-00"},
        {"nonce": "zz"},
        {"nc": "zz"},
        {"nc": "00000000"},
        {"nc": "-1"},
        {"nc": "f" * 400},
        {"response": "é"},
        {"realm": "other"},
    ],
)
async def test_everything_else_is_refused(changes: dict[str, str]) -> None:
    client = Client(Options((BOB,)))
    await client.ask()
    assert (await client.ask(reply(client.challenge, **changes))).status == 401
    assert client.seen.request is None


async def test_the_access_log_tells_who_was_refused() -> None:
    handler = build(Options((BOB,)), BuildContext("auth@file"))(Seen())
    refusal = await handler(request("/a"))
    challenge = refusal.headers.first(b"www-authenticate") or b""
    sent = request("/a", headers=[reply(challenge, uri="/a", username="eve")])
    assert (await handler(sent)).status == 401
    assert sent.exchange.user == "eve"


async def test_all_workers_accept_a_nonce() -> None:
    one, other = Client(Options((BOB,))), Client(Options((BOB,)))
    await one.ask()
    challenge = one.challenge
    assert (await other.ask(reply(challenge))).status == 200
    assert (await one.ask(reply(challenge))).status == 401  # The count was used there.
    assert (await one.ask(reply(challenge, nc="00000002"))).status == 200
    stranger = Client(Options((BOB, "eve:traefik:00")))
    assert (await stranger.ask(reply(one.challenge))).status == 401


@pytest.mark.parametrize(("uri", "status"), [("/", 200), ("/a", 200), ("/a/b", 401), ("/b", 401)])
async def test_shorter_paths_as_traefik(uri: str, status: int) -> None:
    handler = build(Options((BOB,)), BuildContext("auth@file", as_traefik=True))(Seen())
    refusal = await handler(request("/a", query="b=c"))
    challenge = refusal.headers.first(b"www-authenticate") or b""
    sent = request("/a", query="b=c", headers=[reply(challenge, uri=uri)])
    assert (await handler(sent)).status == status


def test_an_old_nonce_is_stale() -> None:
    now = 1_000_000.0
    digest = Digest(Users((BOB,), "", parse_user), "traefik", private().nonces, lambda: now)
    challenge = digest.challenge()[1][1]
    now += LIFETIME + 1
    assert digest.check(request("/a", query="b=c", headers=[reply(challenge)])) == ("", True)
    wrong = reply(challenge, password="x")
    assert digest.check(request("/a", query="b=c", headers=[wrong])) == ("", False)
    assert b'stale="true"' in digest.challenge(stale=True)[1][1]


@pytest.mark.parametrize("value", [b"", b"Digest", b"Digest x", b"Basic abc", b'Digest nonce="'])
def test_what_is_no_digest(value: bytes) -> None:
    assert parameters(value) is None


def test_an_entry_without_a_realm() -> None:
    with pytest.raises(BuildError, match="users: entry 1: expected user:realm:hash"):
        build(Options(("bob:x",)), BuildContext("auth@file"))
