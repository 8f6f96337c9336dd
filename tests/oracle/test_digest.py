"""digestAuth against the real Traefik: both take the same replies to their own challenges."""

import hashlib
import re

import pytest

from tests.oracle.case import get
from tests.oracle.conftest import Subject

HOST = "da.n.test"


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def ask(subject: Subject, *headers: str, target: str = "/a?b=c") -> tuple[int, str]:
    (answer,) = get("digest", target, HOST, *headers).run(subject.process.ports["web"])
    return answer.status, answer.get("www-authenticate")


def reply(challenge: str, **changes: str) -> str:
    values = {
        "username": "bob",
        "password": "test",
        "uri": "/a?b=c",
        "nc": "00000001",
        "cnonce": "x",
    }
    values |= dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    values |= changes
    secret = md5(f"{values['username']}:{values['realm']}:{values['password']}")
    middle = ":".join(values[name] for name in ("nonce", "nc", "cnonce", "qop"))
    values["response"] = md5(f"{secret}:{middle}:{md5('GET:' + values['uri'])}")
    names = ("username", "realm", "nonce", "uri", "response", "opaque", "cnonce", "algorithm")
    quoted = ", ".join(f'{name}="{values[name]}"' for name in names)
    return f"Authorization: Digest {quoted}, qop={values['qop']}, nc={values['nc']}"


@pytest.mark.parametrize("subject", ["theirs", "ours"])
def test_replies(subject: str, request: pytest.FixtureRequest) -> None:
    router: Subject = request.getfixturevalue(subject)
    status, challenge = ask(router)
    assert status == 401
    shape = re.sub(r'(nonce|opaque)="[^"]+"', r'\1="?"', challenge)
    assert shape == 'Digest realm="traefik", nonce="?", opaque="?", algorithm="MD5", qop="auth"'
    wrong = ({"password": "x"}, {"username": "eve"}, {"nonce": "x"}, {"opaque": "x"}, {"uri": "/x"})
    for changes in wrong:
        assert ask(router, reply(challenge, **changes))[0] == 401, changes
    assert ask(router, reply(challenge))[0] == 200
    assert ask(router, reply(challenge, nc="00000002"))[0] == 200
