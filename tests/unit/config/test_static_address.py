"""The address grammar of entry points."""

import pytest

from edgerouter.config.static.address import EntryPointAddress


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":80", ("", 80, "tcp")),
        ("127.0.0.1:0", ("127.0.0.1", 0, "tcp")),
        ("[::1]:8080", ("::1", 8080, "tcp")),
        ("localhost:80/tcp", ("localhost", 80, "tcp")),
        (":53/udp", ("", 53, "udp")),
        (":53/UDP", ("", 53, "udp")),
    ],
)
def test_addresses(text: str, expected: tuple[str, int, str]) -> None:
    address = EntryPointAddress.parse(text)
    assert (address.host, address.port, address.protocol) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("80", "has no port"),
        ("", "has no port"),
        (":80/sctp", "only /tcp and /udp"),
        (":80/", "only /tcp and /udp"),
        (":http", "not a port between 0 and 65535"),
        (":65536", "not a port between 0 and 65535"),
        (":", "not a port between 0 and 65535"),
        ("::1:80", "in brackets"),
    ],
)
def test_what_is_no_address(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EntryPointAddress.parse(text)
