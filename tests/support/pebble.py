"""Runs Pebble, Let's Encrypt's test CA, with its DNS server, on ports of the system."""

import json
import os
import shutil
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.https import trusting
from tests.support.needed import missing, unpacked
from tests.support.router_process import free_ports

START_TIME = 20.0
"""Seconds Pebble has to start."""

EAB_KID = "kid-1"
EAB_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


def newer_pebble() -> str:
    """Return a Pebble with renewal information and profiles, unpacked when it is not there."""
    return unpacked("sid", "pebble", "pebble")


class Pebble:
    """A running Pebble; every name resolves to 127.0.0.1. A context manager."""

    def __init__(
        self,
        directory: Path,
        *,
        binary: str = "pebble",
        http_port: int = 0,
        tls_port: int = 0,
        eab: bool = False,
        nonce_reject: int = 0,
        lifetime: int = 7_776_000,
        extra: Mapping[str, Any] | None = None,
        dns: str = "",
    ) -> None:
        if shutil.which(binary) is None or shutil.which("pebble-challtestsrv") is None:
            missing("Pebble; scripts/test-deps.sh installs it")
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._binary = directory, binary
        ports = free_ports(6)
        self._listen, self._management, self._control, self._dns = ports[:4]
        self.http_port = http_port or ports[4]
        self.tls_port = tls_port or ports[5]
        self.ca_file = directory / "ca.pem"
        self.url = f"https://127.0.0.1:{self._listen}/dir"
        self._dns_server = dns or f"127.0.0.1:{self._dns}"
        self._options = {
            "listenAddress": f"127.0.0.1:{self._listen}",
            "managementListenAddress": f"127.0.0.1:{self._management}",
            "certificate": str(directory / "cert.pem"),
            "privateKey": str(directory / "key.pem"),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": eab,
            "externalAccountMACKeys": {EAB_KID: EAB_KEY},
            "certificateValidityPeriod": lifetime,
            **(extra or {}),
        }
        self._environment = {
            **os.environ,
            "PEBBLE_VA_NOSLEEP": "1",
            "PEBBLE_WFE_NONCEREJECT": str(nonce_reject),
            # Of a hundred orders for names that an account has proved, one asks for no proof.
            "PEBBLE_AUTHZREUSE": "0",
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        _endpoint_certificate(directory)

    @property
    def dns_server(self) -> str:
        """The DNS server it asks, ``host:port``."""
        return self._dns_server

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it; its accounts, orders and root are new each time."""
        (self._directory / "config.json").write_text(json.dumps({"pebble": self._options}))
        off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]
        addresses = [
            "-dns01",
            f"127.0.0.1:{self._dns}",
            "-management",
            f"127.0.0.1:{self._control}",
        ]
        self._spawn("challtestsrv", ["pebble-challtestsrv", *off, *addresses])
        self._spawn(
            "pebble",
            [self._binary, "-config", "config.json", "-dnsserver", self._dns_server],
        )
        deadline = time.monotonic() + START_TIME
        while True:
            try:
                self.fetch(self.url)
                self.command("set-default-ipv4", {"ip": "127.0.0.1"})
            except OSError:
                if time.monotonic() > deadline:
                    text = (self._directory / "pebble.log").read_text()[-2000:]
                    raise RuntimeError(f"Pebble did not start: {text}") from None
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop it and its DNS server."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()
        self._processes.clear()

    def _spawn(self, name: str, command: list[str]) -> None:
        with (self._directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)

    def fetch(self, url: str) -> bytes:
        """Fetch something from Pebble or its management interface."""
        context = trusting(self.ca_file.read_text())
        with urllib.request.urlopen(url, timeout=10, context=context) as answer:
            body: bytes = answer.read()
        return body

    def count(self, text: str) -> int:
        """Return how often it has logged something, e.g. ``Added order``."""
        return (self._directory / "pebble.log").read_text().count(text)

    def root(self) -> str:
        """Return the root of issued certificates (PEM)."""
        return self.fetch(f"https://127.0.0.1:{self._management}/roots/0").decode()

    def status(self, serial: str) -> str:
        """Return ``Valid`` or ``Revoked`` for a certificate's serial number (hexadecimal)."""
        url = f"https://127.0.0.1:{self._management}/cert-status-by-serial/{serial}"
        status: str = json.loads(self.fetch(url))["Status"]
        return status

    def set_renewal_info(self, chain: str, information: Mapping[str, Any]) -> None:
        """Have it answer with ``information`` for a certificate."""
        url = f"https://127.0.0.1:{self._management}/set-renewal-info/"
        content = {"Certificate": chain, "ARIResponse": json.dumps(information)}
        context = trusting(self.ca_file.read_text())
        request = urllib.request.Request(url, json.dumps(content).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10, context=context).close()

    def command(self, name: str, content: Mapping[str, Any]) -> None:
        """Give its DNS server an order, e.g. ``set-txt``."""
        url = f"http://127.0.0.1:{self._control}/{name}"
        request = urllib.request.Request(url, json.dumps(content).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).close()


def _endpoint_certificate(directory: Path) -> None:
    """Make the certificate of Pebble's own address and the CA that signs it."""
    if (directory / "ca.pem").exists():
        return
    now = datetime.now(UTC)
    name = f"endpoint test CA {uuid.uuid4().hex[:8]}"
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def build(subject: x509.Name, public: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
        )

    ca = build(issuer, ca_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    )
    leaf = build(x509.Name([]), key.public_key()).add_extension(names, critical=False)
    pem = serialization.Encoding.PEM
    for file, builder in (("ca.pem", ca), ("cert.pem", leaf)):
        signed = builder.sign(ca_key, hashes.SHA256())
        (directory / file).write_bytes(signed.public_bytes(pem))
    (directory / "key.pem").write_bytes(
        key.private_bytes(
            pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
