"""Answers HTTP-01 and TLS-ALPN-01 challenges on loopback, as workers do."""

import socketserver
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from edgerouter.acme.answers import Answers

PATH = "/.well-known/acme-challenge/"


@contextmanager
def running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Answering(Protocol):
    """Who knows the answers to HTTP-01."""

    @property
    def http01(self) -> dict[str, str]: ...


@contextmanager
def http_responder(
    answers: Answering, on_request: Callable[[str], None] = lambda token: None
) -> Iterator[int]:
    """Answer HTTP-01 from ``answers``; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = self.path.removeprefix(PATH)
            on_request(token)
            text = answers.http01.get(token, "")
            self.send_response(200 if text else 404)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with running(server):
        yield server.server_address[1]


@contextmanager
def tls_responder(answers: Answers) -> Iterator[int]:
    """Answer TLS-ALPN-01 from ``answers``, by the name in the handshake; yields the port."""

    def choose(
        connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext
    ) -> None:
        pair = answers.acme_tls.get(name or "")
        if pair is not None:
            connection.context = challenge_context(pair)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.sni_callback = choose
            context.set_alpn_protocols(["acme-tls/1"])
            try:
                with context.wrap_socket(self.request, server_side=True):
                    pass
            except OSError:
                pass  # The validator ends as soon as it has seen the certificate.

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    with running(server):
        yield server.server_address[1]


def challenge_context(pair: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("".join(pair))
        file.flush()
        context.load_cert_chain(file.name)
    context.set_alpn_protocols(["acme-tls/1"])
    return context
