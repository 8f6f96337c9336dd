"""Content codings, checked with the other half of the libraries and by real decoders."""

import subprocess
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from edgerouter.http.headers import Headers
from edgerouter.middleware.encodings import CODERS, Negotiation

DATA = b'{"name": "value", "list": [1, 2, 3]}\n' * 500


class Decoder:
    """Decodes piece by piece, so that it shows what a client can read already."""

    def __init__(self, name: str) -> None:
        self._decode: Callable[[bytes], bytes]
        match name:
            case "gzip":
                self._decode = zlib.decompressobj(31).decompress
            case "br":
                self._decode = brotli.Decompressor().process
            case _:
                self._decode = zstandard.ZstdDecompressor().decompressobj().decompress

    def __call__(self, data: bytes) -> bytes:
        return self._decode(data)


@pytest.mark.parametrize("name", CODERS)
def test_whole_contents(name: str) -> None:
    coded = CODERS[name].whole(DATA)
    assert len(coded) < len(DATA) / 10
    assert Decoder(name)(coded) == DATA


@pytest.mark.parametrize("name", CODERS)
def test_every_piece_can_be_read_at_once(name: str) -> None:
    decode, stream = Decoder(name), CODERS[name].stream()
    assert stream is not None
    for piece in (b"first", b" second", DATA):
        assert decode(stream.flushed(piece)) == piece
    assert decode(stream.end()) == b""


@pytest.mark.parametrize("name", CODERS)
def test_two_streams_at_once(name: str) -> None:
    one, two = CODERS[name].stream(), CODERS[name].stream()
    assert one is not None
    assert two is not None
    coded_one = one.flushed(b"one") + CODERS[name].whole(b"")[:0]
    coded_two = two.flushed(b"two") + two.end()
    assert Decoder(name)(coded_one + one.end()) == b"one"
    assert Decoder(name)(coded_two) == b"two"


def test_gzip_reads_it() -> None:
    done = subprocess.run(
        ["/bin/gzip", "-dc"], input=CODERS["gzip"].whole(DATA), capture_output=True, check=True
    )
    assert done.stdout == DATA


ALL = ("gzip", "br", "zstd")


@pytest.mark.parametrize(
    ("accepted", "encodings", "default", "expected"),
    [
        (None, ALL, "", ""),
        (None, ALL, "br", "br"),
        ("", ALL, "br", ""),
        ("gzip, br, zstd", ALL, "", "gzip"),
        ("gzip, br, zstd", ("zstd", "br", "gzip"), "", "zstd"),
        ("gzip;q=0.5, br;q=0.8", ALL, "", "br"),
        ("GZIP ; Q=0.5, br ; q=0.4", ALL, "", "gzip"),
        ("gzip;q=0", ALL, "", ""),
        ("br;q=x", ALL, "", ""),
        ("deflate, x-gzip", ALL, "", ""),
        ("identity", ALL, "", ""),
        ("identity, br", ALL, "", "br"),
        ("identity;q=1, br;q=0.5", ALL, "", ""),
        ("*", ALL, "", "gzip"),
        ("*", ALL, "zstd", "zstd"),
        ("gzip;q=0, *", ALL, "", "br"),
        ("gzip;q=0, br;q=0, zstd;q=0, *", ALL, "", ""),
        ("*;q=0", ALL, "", ""),
    ],
)
def test_the_choice(
    accepted: str | None, encodings: tuple[str, ...], default: str, expected: str
) -> None:
    headers = Headers() if accepted is None else Headers([(b"accept-encoding", accepted.encode())])
    negotiation = Negotiation(encodings, default)
    chosen = [negotiation.chosen(headers) for _ in range(2)]
    assert chosen == [expected] * 2


def test_several_fields_are_one_list() -> None:
    headers = Headers([(b"Accept-Encoding", b"br;q=0.1"), (b"Accept-Encoding", b"zstd")])
    assert Negotiation(ALL, "").chosen(headers) == "zstd"


def test_what_clients_send_is_not_remembered_for_ever() -> None:
    negotiation = Negotiation(ALL, "")
    for number in range(5000):
        negotiation.chosen(Headers([(b"Accept-Encoding", b"x%d" % number)]))
    assert len(negotiation._known) <= 512
