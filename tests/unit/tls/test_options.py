"""What is said about TLS options, and what they come down to."""

import ssl
from typing import Any

import pytest

from edgerouter.tls import options as module
from edgerouter.tls.ciphers import CURVES, DEFAULT, OLD_VERSIONS, SUITES
from edgerouter.tls.options import OptionsError, TlsOptions, problems


def applied(**mapping: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    TlsOptions(mapping).apply(context)
    return context


def test_the_default_is_strong() -> None:
    context = applied()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    names = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"]
    assert names == DEFAULT.split(":")
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION


@pytest.mark.parametrize("name", SUITES)
def test_openssl_speaks_every_suite(name: str) -> None:
    names = [cipher["name"] for cipher in applied(cipherSuites=[name]).get_ciphers()]
    assert SUITES[name] in names


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_openssl_knows_the_names_for_old_versions() -> None:
    names = {cipher["name"] for cipher in applied(minVersion="VersionTLS10").get_ciphers()}
    assert set(OLD_VERSIONS.split(":")) <= names


@pytest.mark.parametrize(
    ("mapping", "is_fatal", "message"),
    [
        ({"minVersion": "TLS12"}, False, 'minVersion: "TLS12" is no version and has no effect'),
        ({"maxVersion": "1.3"}, False, 'maxVersion: "1.3" is no version'),
        (
            {"minVersion": "VersionTLS13", "maxVersion": "VersionTLS12"},
            True,
            "minVersion: must not be above maxVersion",
        ),
        ({"cipherSuites": ["ROT13"]}, True, 'cipherSuites: "ROT13" is no cipher suite'),
        (
            {"cipherSuites": ["TLS_RSA_WITH_RC4_128_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"]},
            False,
            "cipherSuites: OpenSSL does not speak TLS_RSA_WITH_RC4_128_SHA; left out",
        ),
        (
            {"cipherSuites": ["TLS_AES_128_GCM_SHA256"], "maxVersion": "VersionTLS12"},
            True,
            "cipherSuites: all are of TLS 1.3, which is above maxVersion",
        ),
        (
            {"alpnProtocols": ["foo", "bar"]},
            False,
            "alpnProtocols: foo, bar cannot be offered, and clients that use ALPN are refused; add",
        ),
        (
            {"alpnProtocols": ["h2"]},
            False,
            "alpnProtocols: h2 cannot be offered, and clients that use ALPN without http/1.1 are",
        ),
        ({"curvePreferences": ["P256"]}, True, 'curvePreferences: "P256" is no curve'),
        ({"curvePreferences": ["P-1"]}, True, 'curvePreferences: "P-1" is no curve'),
        (
            {"clientAuth": {"clientAuthType": "Maybe"}},
            True,
            'clientAuth.clientAuthType: "Maybe" is unknown; write one of NoClientCert',
        ),
        (
            {"clientAuth": {"clientAuthType": "RequireAndVerifyClientCert"}},
            True,
            "clientAuth.caFiles: RequireAndVerifyClientCert needs the certificates",
        ),
        (
            {"clientAuth": {"clientAuthType": "VerifyClientCertIfGiven", "authorities": "x"}},
            True,
            "clientAuth.caFiles: not all of it are certificates in PEM form",
        ),
        (
            {"clientAuth": {"clientAuthType": "VerifyClientCertIfGiven", "authorities": "ä"}},
            True,
            "clientAuth.caFiles: not all of it are certificates in PEM form",
        ),
        ({"preferServerCipherSuites": True}, False, "preferServerCipherSuites is deprecated"),
    ],
)
def test_problems(mapping: dict[str, Any], is_fatal: bool, message: str) -> None:
    found = problems(mapping)
    assert len(found) == 1
    assert found[0][0] == is_fatal
    assert found[0][1].startswith(message)


def test_only_gone_suites_are_no_suites() -> None:
    assert [fatal for fatal, _ in problems({"cipherSuites": ["TLS_RSA_WITH_RC4_128_SHA"]})] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    "others", [(), ("TLS_RSA_WITH_RC4_128_SHA",), ("TLS_CHACHA20_POLY1305_SHA256",)]
)
def test_suites_of_tls13_alone_leave_nothing_for_other_versions(others: tuple[str, ...]) -> None:
    context = applied(cipherSuites=["TLS_AES_128_GCM_SHA256", *others])
    assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    both = applied(cipherSuites=["TLS_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA"])
    assert both.minimum_version == ssl.TLSVersion.TLSv1_2


def openssl_knows(name: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    return module.OPENSSL is not None and module.OPENSSL.set_curves(context, name)


@pytest.mark.parametrize("name", CURVES)
def test_curves_openssl_lacks_are_said_and_left_out(name: str) -> None:
    found = problems({"curvePreferences": [name, "CurveP384", "secp384r1"]})
    assert [fatal for fatal, _ in found] == ([] if openssl_knows(CURVES[name]) else [False])
    found = problems({"curvePreferences": [name]})
    assert [fatal for fatal, _ in found] == ([] if openssl_knows(CURVES[name]) else [True])


def test_without_access_to_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python's ssl alone can do is done, the rest is refused with a reason."""
    monkeypatch.setattr(module, "OPENSSL", None)
    assert not problems({"curvePreferences": ["CurveP384"]})
    ((fatal, text),) = problems({"curvePreferences": ["CurveP384", "CurveP256"]})
    assert not fatal
    assert "one curve only; P-384 is used" in text
    with pytest.raises(OptionsError, match="can only set CurveP256"):
        TlsOptions({"curvePreferences": ["X25519"]})
    ((fatal, text),) = problems({"clientAuth": {"clientAuthType": "RequireAnyClientCert"}})
    assert fatal
    assert "impossible with this build of Python" in text


def test_every_curve_has_a_name_for_openssl() -> None:
    known = {"P-256", "P-384", "P-521", "X25519"}
    mlkem = {"X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"}
    assert set(CURVES.values()) == known | mlkem
    assert all(map(openssl_knows, known))


def test_only_protocols_that_are_spoken_are_offered() -> None:
    assert TlsOptions({"alpnProtocols": ["h2", "acme-tls/1"]}).protocols == ()
    assert TlsOptions({"alpnProtocols": []}).protocols == ("http/1.1",)


def test_without_tickets() -> None:
    context = applied(disableSessionTickets=True)
    assert context.options & ssl.OP_NO_TICKET
    assert context.num_tickets == 0
