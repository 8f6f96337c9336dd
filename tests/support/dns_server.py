"""An authoritative DNS server on loopback with dynamic updates, and PowerDNS's API to it."""

import json
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update

from tests.support.acme_responder import running

KEY_NAME, KEY_SECRET = "edge", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"


class Zone:
    """Records of one zone; every other name in it has the address 127.0.0.1."""

    def __init__(self, name: str = "example.com") -> None:
        self.name = dns.name.from_text(name)
        self.txt: dict[str, set[str]] = {}
        self.cname: dict[str, str] = {}
        self.name_servers: dict[str, list[str]] = {f"ns.{name}": ["127.0.0.1"]}
        """Their names and addresses."""
        self.caa: dict[str, list[str]] = {}
        self.updates: list[tuple[str, str, str]] = []
        self.ttls: set[int] = set()
        """Of records that were added by updates."""
        self.hidden = 0
        """How many more questions for TXT are answered as if there were none."""
        self.lock = threading.Lock()

    def change(self, action: str, name: str, value: str) -> None:
        with self.lock:
            self.updates.append((action, name, value))
            values = self.txt.setdefault(name, set())
            (values.add if action == "add" else values.discard)(value)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query)
        if query.opcode() == dns.opcode.UPDATE:
            self._update(query, reply)
            return reply
        reply.flags |= dns.flags.AA
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        for owner, kind, text in self._records(name, question.rdtype):
            rrset = dns.rrset.from_text(f"{owner}.", 1, "IN", kind, text)
            reply.find_rrset(
                reply.answer, rrset.name, dns.rdataclass.IN, rrset.rdtype, create=True
            ).update(rrset)
        return reply

    def _records(self, name: str, kind: int) -> Iterator[tuple[str, str, str]]:
        zone = self.name.to_text(omit_final_dot=True)
        while name in self.cname:
            yield name, "CNAME", f"{self.cname[name]}."
            name = self.cname[name]
            if kind == dns.rdatatype.CNAME:
                return
        if kind == dns.rdatatype.SOA and name == zone:
            yield name, "SOA", f"ns.{zone}. root.{zone}. 1 60 60 60 60"
        elif kind == dns.rdatatype.NS and name == zone:
            yield from ((name, "NS", f"{server}.") for server in self.name_servers)
        elif kind in {dns.rdatatype.A, dns.rdatatype.AAAA}:
            wanted = "AAAA" if kind == dns.rdatatype.AAAA else "A"
            for address in self.name_servers.get(name, ["127.0.0.1"]):
                if (":" in address) is (wanted == "AAAA"):
                    yield name, wanted, address
        elif kind == dns.rdatatype.CAA:
            yield from ((name, "CAA", text) for text in self.caa.get(name, ()))
        elif kind == dns.rdatatype.TXT:
            if self.hidden:
                self.hidden -= 1
                return
            with self.lock:
                yield from ((name, "TXT", f'"{value}"') for value in self.txt.get(name, ()))

    def _update(self, query: dns.message.Message, reply: dns.message.Message) -> None:
        if not query.had_tsig:
            reply.set_rcode(dns.rcode.REFUSED)
            return
        assert isinstance(query, dns.update.UpdateMessage)
        for rrset in query.update:
            name = rrset.name.to_text(omit_final_dot=True)
            deleting = rrset.deleting == dns.rdataclass.NONE
            if not deleting:
                self.ttls.add(rrset.ttl)
            for item in rrset:
                self.change("delete" if deleting else "add", name, item.to_text().strip('"'))


class _Handler(socketserver.BaseRequestHandler):
    def reply(self, wire: bytes) -> bytes:
        key = dns.tsig.Key(KEY_NAME, KEY_SECRET, "hmac-sha256")
        query = dns.message.from_wire(wire, keyring={key.name: key})
        return self.server.zone.answer(query).to_wire()  # type: ignore[attr-defined,no-any-return]


class _Datagram(_Handler):
    def handle(self) -> None:
        wire, socket = self.request
        socket.sendto(self.reply(wire), self.client_address)


class _Stream(_Handler):
    def handle(self) -> None:
        (length,) = struct.unpack("!H", self.request.recv(2))
        wire = self.reply(self.request.recv(length))
        self.request.sendall(struct.pack("!H", len(wire)) + wire)


def _bound() -> tuple[socketserver.UDPServer, socketserver.TCPServer]:
    """Bind both transports to one port; the system knows only of one at a time what is free."""
    while True:
        streams = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Stream)
        try:
            return socketserver.ThreadingUDPServer(streams.server_address, _Datagram), streams
        except OSError:
            streams.server_close()


@contextmanager
def dns_server(zone: Zone) -> Iterator[int]:
    """Serve a zone over UDP and TCP; yields the port."""
    datagrams, streams = _bound()
    port = datagrams.server_address[1]
    for server in (datagrams, streams):
        server.zone = zone  # type: ignore[attr-defined]
    with running(datagrams), running(streams):
        yield port


@contextmanager
def powerdns(zone: Zone) -> Iterator[str]:
    """Offer as much of PowerDNS's API as its clients need for TXT records; yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers["X-API-Key"] != "secret":
                self._send(401, {"error": "Unauthorized"})
                return
            rrsets = [
                {
                    "name": f"{name}.",
                    "type": "TXT",
                    "ttl": 60,
                    "records": [{"content": f'"{value}"', "disabled": False} for value in values],
                }
                for name, values in zone.txt.items()
                if values
            ]
            self._send(200, {"kind": "Native", "rrsets": rrsets})

        def do_PATCH(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for rrset in content["rrsets"]:
                name = rrset["name"].rstrip(".")
                new = {record["content"].strip('"') for record in rrset["records"]}
                if rrset["changetype"] == "DELETE":
                    new = set()
                old = set(zone.txt.get(name, ()))
                for value in new - old:
                    zone.change("add", name, value)
                for value in old - new:
                    zone.change("delete", name, value)
            self._send(200, {})

        def _send(self, status: int, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with running(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"
