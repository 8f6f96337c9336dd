"""Hashes of the real htpasswd."""

import subprocess

import pytest

from edgerouter.middleware import htpasswd
from edgerouter.middleware.htpasswd import check, is_known
from tests.support.needed import needed

PASSWORDS = ["secret", "", "pässwörd", "a:b c", "x" * 17, "x" * 72, "x" * 100]


def made(option: str, password: str) -> str:
    command = [needed("htpasswd"), "-n", "-b", option, "bob", password]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip().partition(":")[2]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("option", ["-B", "-m", "-s"])
def test_what_htpasswd_makes(option: str, password: str) -> None:
    secret = made(option, password)
    assert is_known(secret)
    assert check(password.encode(), secret)
    assert not check(b"?" + password.encode(), secret)
    assert not check(b"", secret) or not password


@pytest.mark.parametrize(
    ("secret", "password"),
    [
        ("$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/", b"test"),
        ("{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=", b"test"),
        ("$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", b"test"),
    ],
)
def test_published_hashes(secret: str, password: bytes) -> None:
    assert is_known(secret)
    assert check(password, secret)
    assert not check(password + b"x", secret)


@pytest.mark.parametrize("secret", ["", "plain", "$5$salt$x", "$apr1$x", "$a$b$c", "a$1$b$c"])
def test_unknown_hashes_match_nothing(secret: str) -> None:
    assert not is_known(secret)
    assert not check(b"plain", secret)


@pytest.mark.parametrize(
    "secret", ["$2y$", "$2y$05$short", "$2y$99$" + "a" * 53, "$2y$05$é", "{SHA}é"]
)
def test_malformed_hashes_match_nothing(secret: str) -> None:
    assert not check(b"x", secret)


def test_a_password_with_a_zero_byte() -> None:
    assert not check(b"a\0b", "$2y$05$W4VX.l5bRP4KYCzcZQDzGOwuAkJlLDvVYYbd5RkfNIVhGwX5uSMQq")


def test_md5_lets_other_threads_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[float] = []
    monkeypatch.setattr(htpasswd, "sleep", turns.append)
    assert check(b"test", "$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/")
    # Fifty rounds take a tenth of a millisecond; without a turn, threads wait for five.
    assert len(turns) == 1000 / 50
    assert min(turns) > 0.0
