"""A CA that answers badly: in drops, not at all, with refusals of each kind."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgerouter.acme.connection import Account, Authority, Connection, Known
from edgerouter.acme.errors import CertificateError, Postponed, Unanswered
from edgerouter.acme.reach import AWAY_DELAYS, KNOWN_TIME, Reach
from tests.support.tls import make_pair

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


class Server:
    """Answers HTTPS as ``answer`` does, which writes to the socket."""

    def __init__(self, directory: Path, answer: Callable[[ssl.SSLSocket], None]) -> None:
        pair = make_pair("127.0.0.1")
        self.trusted = pair.pem
        self.connections = 0
        (directory / "pair.pem").write_text(pair.pem + pair.key_pem)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(directory / "pair.pem")
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}/dir"

    def serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with suppress(OSError), self._context.wrap_socket(plain, server_side=True) as tls:
                tls.recv(65536)
                self._answer(tls)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def serving(directory: Path, answer: Callable[[ssl.SSLSocket], None]) -> Iterator[Server]:
    server = Server(directory, answer)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()


def drip(text: bytes) -> Callable[[ssl.SSLSocket], None]:
    def answer(tls: ssl.SSLSocket) -> None:
        for byte in text:
            tls.sendall(bytes([byte]))
            time.sleep(0.05)

    return answer


def say(text: bytes) -> Callable[[ssl.SSLSocket], None]:
    return lambda tls: tls.sendall(text)


@pytest.mark.parametrize(
    "answer",
    [drip(HEAD), lambda tls: (say(HEAD)(tls), drip(b" " * 900)(tls))],
    ids=["head", "body"],
)
def test_the_whole_answer_has_its_time(
    tmp_path: Path, answer: Callable[[ssl.SSLSocket], None]
) -> None:
    with serving(tmp_path, answer) as server:
        authority = Authority(server.url, 0.5, 0.3, (server.trusted,))
        begin = time.monotonic()
        with pytest.raises(Unanswered, match="does not answer"):
            Connection(authority, Account.new(server.url, ""))
        assert time.monotonic() - begin < 2


def test_certificates_of_private_cas_need_not_be_strict() -> None:
    for pool in (False, True):
        pem = make_pair("127.0.0.1").pem
        context = Authority("https://ca/", certificates=(pem,), system_pool=pool).context()
        assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert not Authority("https://ca/").context().verify_flags & ssl.VERIFY_X509_STRICT


@contextmanager
def tunnelling(target: int) -> Iterator[str]:
    """Yield the URL of a proxy that takes one CONNECT, whatever it names, to a port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pass_on(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        client, _ = listener.accept()
        with client, socket.create_connection(("127.0.0.1", target)) as server:
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=pass_on, args=(server, client))
            back.start()
            pass_on(client, server)
            back.join()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join()
        listener.close()


def test_the_cas_of_the_option_are_trusted_behind_a_proxy_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b'{"newNonce": "x"}'
    answer = say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    with serving(tmp_path, answer) as server:
        port = int(server.url.split(":")[2].removesuffix("/dir"))
        with tunnelling(port) as proxy:
            for name in ("NO_PROXY", "no_proxy", "https_proxy"):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv("HTTPS_PROXY", proxy)
            authority = Authority(
                "https://ca.invalid/dir", 5, 5, (server.trusted,), server_name="127.0.0.1"
            )
            connection = Connection(authority, Account.new(authority.directory, ""))
            connection.close()
    assert connection.directory == {"newNonce": "x"}


def problem(status: str, kind: str) -> bytes:
    body = f'{{"type": "urn:ietf:params:acme:error:{kind}", "detail": "why"}}'.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\n"
    return f"{head}Retry-After: 7\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("answer", "passing"),
    [
        (problem("503 Service Unavailable", "serverInternal"), True),
        (problem("500 Internal Server Error", "serverInternal"), True),
        (problem("429 Too Many Requests", "rateLimited"), True),
        (problem("403 Forbidden", "unauthorized"), False),
        (problem("404 Not Found", "malformed"), False),
        (problem("409 Conflict", "alreadyReplaced"), False),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhtml", True),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", False),
    ],
)
def test_what_passes_and_what_is_a_refusal(tmp_path: Path, answer: bytes, passing: bool) -> None:
    with serving(tmp_path, say(answer)) as server:
        authority = Authority(server.url, 5, 5, (server.trusted,))
        with pytest.raises(CertificateError) as caught:
            Connection(authority, Account.new(server.url, ""))
    assert caught.value.passing == passing
    assert caught.value.status == int(answer.split()[1])


def test_who_is_away_is_asked_once_for_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reach = Reach()
    delays = []
    now = NOW
    with serving(tmp_path, lambda tls: None) as server:
        authority = Authority(server.url, 5, 5, (server.trusted,))
        account = Account.new(server.url, "")
        for tries in range(1, 6):
            for _ in range(3):
                with (
                    pytest.raises(Postponed, match="does not answer") as caught,
                    reach.asking(server.url, now),
                ):
                    reach.open(authority, account, now)
            assert server.connections == tries
            delays.append((caught.value.until - now).total_seconds())
            now = caught.value.until
        with reach.asking("https://another", NOW):
            pass
    expected = [*AWAY_DELAYS, AWAY_DELAYS[-1], AWAY_DELAYS[-1]]
    for delay, least in zip(delays, expected, strict=True):
        assert least <= delay <= least * 1.2
    assert caplog.text.count("The CA is away") == 5
    with reach.asking(server.url, now):
        pass
    caplog.clear()
    with pytest.raises(Postponed) as caught, reach.asking(server.url, now):
        raise Unanswered("away")
    assert (caught.value.until - now).total_seconds() <= AWAY_DELAYS[0] * 1.2, "it counts anew"


def test_what_a_ca_offers_is_asked_once(tmp_path: Path) -> None:
    directory = b'{"newNonce": "x"}'
    text = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(directory)
    reach = Reach()
    with serving(tmp_path, say(text + directory)) as server:
        authority = Authority(server.url, 5, 5, (server.trusted,))
        account = Account.new(server.url, "")
        opened = [reach.open(authority, account, NOW) for _ in range(3)]
        assert server.connections == 1
        assert isinstance(opened[0].known, Known)
        assert [each.directory for each in opened] == [{"newNonce": "x"}] * 3
        reach.open(authority, account, NOW + KNOWN_TIME + timedelta(seconds=1))
        assert server.connections == 2
        reach.forget(server.url)
        reach.open(authority, account, NOW)
        assert server.connections == 3
