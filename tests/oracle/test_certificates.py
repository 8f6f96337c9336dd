"""``/api/certificates`` of edgerouter and of the real Traefik: the same list, search and order."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from tests.support.edgerouter_process import edgerouter
from tests.support.router_process import RouterProcess
from tests.support.traefik import traefik

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def name(**parts: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(getattr(NameOID, oid.upper()), text) for oid, text in parts.items()]
    )


def certificate(
    subject: x509.Name,
    sans: list[str],
    issuer: x509.Name,
    left: int,
    key: Key | None = None,
    *,
    pss: bool = False,
) -> dict[str, str]:
    """Make a certificate with ``left`` of its days to come, of which there were 400."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=left - 400))
        .not_valid_after(now + dt.timedelta(days=left))
    )
    if sans:
        names = [x509.DNSName(each) for each in sans]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        signed = builder.sign(key, None)
    elif isinstance(key, rsa.RSAPrivateKey) and pss:
        scheme = padding.PSS(padding.MGF1(SHA256()), padding.PSS.DIGEST_LENGTH)
        signed = builder.sign(key, SHA256(), rsa_padding=scheme)
    else:
        signed = builder.sign(key, SHA384() if isinstance(key, rsa.RSAPrivateKey) else SHA256())
    return {
        "certFile": signed.public_bytes(Encoding.PEM).decode(),
        "keyFile": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    }


CERTIFICATES = [
    certificate(
        name(common_name="d.test", organization_name="D", country_name="CH"),
        ["d.test", "*.d.test"],
        name(common_name="z", organization_name="B org", country_name="FR"),
        100,
    ),
    certificate(name(common_name="b.test"), ["x.test"], name(common_name="C cn"), 10),
    certificate(
        name(common_name="a.test"),
        ["a.test"],
        name(common_name="a", organization_name="D org"),
        200,
        rsa.generate_private_key(65537, 2048),
    ),
    certificate(name(), ["c.test"], name(common_name="q", organization_name="A org"), 50),
    certificate(
        name(common_name="B.test"),
        ["zz.test"],
        name(common_name="E org"),
        -5,
        ed25519.Ed25519PrivateKey.generate(),
    ),
    certificate(
        name(common_name="e.test"),
        ["e.test"],
        name(common_name="F org"),
        300,
        rsa.generate_private_key(65537, 2048),
        pss=True,
    ),
]
DEFAULT = certificate(name(common_name="default.test"), ["default.test"], name(), 120)


@contextmanager
def running(start: Callable[..., Any], directory: Path) -> Iterator[RouterProcess]:
    router = {"rule": "Host(`d.test`)", "service": "noop@internal", "tls": {}}
    configuration = {
        "http": {"routers": {"r": router}},
        "tls": {
            "certificates": CERTIFICATES,
            "stores": {"default": {"defaultCertificate": DEFAULT}},
        },
    }
    with start(directory, ["web"], {}, configuration) as process:
        yield process


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    with running(traefik, tmp_path_factory.mktemp("traefik")) as process:
        yield process


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    with running(edgerouter, tmp_path_factory.mktemp("edgerouter")) as process:
        yield process


def shown(router: RouterProcess, path: str) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in item.items() if key != "edgerouter"}
        for item in router.get(path)
    ]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"direction": "desc"},
        {"direction": "odd"},
        *(
            {"sortBy": key, "direction": direction}
            for key in ("name", "commonName", "status", "issuer", "validUntil", "notAfter", "odd")
            for direction in ("asc", "desc")
        ),
        {"search": "b ORG"},
        {"search": "e.test"},
        {"search": "zz"},
        {"search": "d.t"},
        {"search": "q"},
        {"search": "default"},
        {"status": "warning"},
        {"status": "Expired"},
        {"status": "enabled", "search": "org"},
        {"serviceName": "x"},
        {"page": "2", "per_page": "2", "sortBy": "validUntil"},
    ],
    ids=urlencode,
)
def test_list(query: dict[str, str], theirs: RouterProcess, ours: RouterProcess) -> None:
    path = f"/api/certificates?{urlencode(query)}"
    assert shown(ours, path) == shown(theirs, path)


def test_one_and_how_many(theirs: RouterProcess, ours: RouterProcess) -> None:
    path = f"/api/certificates/{theirs.get('/api/certificates')[0]['name']}"
    own = ours.get(path)
    assert own.pop("edgerouter")
    assert own == theirs.get(path)
    path = "/api/overview"
    assert ours.get(path)["certificates"] == theirs.get(path)["certificates"]


def test_they_have_another_path_here(ours: RouterProcess) -> None:
    """The certificates, with all that is planned for them, also stand beside the options."""
    assert ours.get("/api/tls/certificates") == ours.get("/api/certificates")
