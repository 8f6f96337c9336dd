"""The protocol (RFC 8555): signed requests to one CA with one account. Blocking.

A connection belongs to one thread. The JOSE part is the library ``acme``'s; nonces that
the CA refuses are replaced more patiently than there.
"""

import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import requests
import requests.utils
from acme import client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from josepy import b64, jwa
from josepy.errors import Error as JoseError
from josepy.interfaces import JSONDeSerializable
from josepy.jwk import JWK, JWKEC, JWKRSA

from edgerouter import __version__
from edgerouter.acme.errors import CertificateError, Unanswered
from edgerouter.acme.keys import PrivateKey, load_key, new_key, to_pem
from edgerouter.acme.transport import Adapter, bounded
from edgerouter.tls.trust import verify_as_go

MAX_NONCES = 10
"""How often a request is signed anew because the CA refuses its nonce."""

_ALGORITHMS = {256: jwa.ES256, 384: jwa.ES384}
_PREFIX = "urn:ietf:params:acme:error:"


@dataclass(frozen=True, slots=True)
class Authority:
    """Where the CA is and how it is reached."""

    directory: str
    timeout: float = 120.0
    """Seconds for a whole answer."""
    header_timeout: float = 30.0
    """Seconds until an answer begins."""
    certificates: tuple[str, ...] = ()
    """Files or PEM texts of the CAs that are trusted for the connection."""
    system_pool: bool = False
    """Trust the system's certificates besides ``certificates``."""
    server_name: str = ""
    """Name expected in the server's certificate, when it is another than the URL's."""

    def with_environment(self, environ: Mapping[str, str]) -> "Authority":
        """Fill in what is not set from ``LEGO_CA_*``, as Traefik does."""
        files = [file for file in environ.get("LEGO_CA_CERTIFICATES", "").split(os.pathsep) if file]
        pool = environ.get("LEGO_CA_SYSTEM_CERT_POOL", "").lower() in {"1", "t", "true"}
        return Authority(
            self.directory,
            self.timeout,
            self.header_timeout,
            self.certificates or tuple(files),
            self.system_pool or (not self.certificates and pool),
            self.server_name or environ.get("LEGO_CA_SERVER_NAME", ""),
        )

    def context(self) -> ssl.SSLContext:
        """Return how TLS to the CA is verified.

        Raises:
            CertificateError: A certificate of ``caCertificates`` cannot be read.
        """
        if not self.certificates or self.system_pool:
            context = ssl.create_default_context()
            if not Path(ssl.get_default_verify_paths().cafile or "/nonexistent").is_file():
                context.load_verify_locations(requests.utils.DEFAULT_CA_BUNDLE_PATH)
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        verify_as_go(context)
        for text in self.certificates:
            try:
                pem = text if "-----BEGIN" in text else Path(text).read_text()
                context.load_verify_locations(cadata=pem)
            except (OSError, ValueError, ssl.SSLError) as error:
                raise CertificateError(
                    f"caCertificates: {text.splitlines()[0]}: {error}"
                ) from error
        return context


@dataclass(frozen=True, slots=True)
class Account:
    """An account at one CA."""

    directory: str
    key: str
    """PEM."""
    url: str = ""
    """Empty until it is registered."""
    contact: str = ""

    @classmethod
    def new(cls, directory: str, contact: str) -> "Account":
        """Return an account that is still to be registered."""
        return cls(directory, to_pem(new_key("EC256")), contact=contact)


@dataclass(frozen=True, slots=True)
class Known:
    """What several connections to a CA have in common."""

    context: ssl.SSLContext
    directory: dict[str, Any]
    """What it offers, by its name in RFC 8555, section 7.1.1."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the CA."""

    url: str
    """Its ``Location``, or the URL that was asked."""
    text: str
    retry_after: float | None
    links: tuple[str, ...] = ()
    """``Link`` headers of the relation ``alternate``."""
    json: dict[str, Any] = field(default_factory=dict)


class _Payload(JSONDeSerializable):
    """Any mapping as the content of a signed request."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content

    def __bool__(self) -> bool:
        return True

    def to_partial_json(self) -> Any:
        return dict(self._content)

    @classmethod
    def from_json(cls, jobj: Any) -> "_Payload":
        return cls(jobj)


class _Network(client.ClientNetwork):
    """The library's network with our TLS and time-outs; knows more of the last answer."""

    def __init__(self, key: PrivateKey, authority: Authority, context: ssl.SSLContext) -> None:
        if isinstance(key, ec.EllipticCurvePrivateKey):
            jwk: JWK = JWKEC(key=key)
            algorithm: Any = _ALGORITHMS[key.key_size]
        else:
            jwk, algorithm = JWKRSA(key=key), jwa.RS256
        agent = f"edgerouter/{__version__}"
        super().__init__(jwk, alg=algorithm, user_agent=agent)
        self.jwk = jwk
        self.session.mount("https://", Adapter(context, authority.server_name))
        self._authority = authority
        self.status = 0
        """Of the last answer; 0 when there was none."""
        self.retry_after: float | None = None

    def _send_request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", self._authority.header_timeout)
        self.status, self.retry_after = 0, None
        with bounded(self._authority.timeout):
            response = super()._send_request(method, url, *args, **kwargs)
        self.status = response.status_code
        self.retry_after = _seconds(response.headers.get("Retry-After", ""))
        return response

    @property
    def is_refused(self) -> bool:
        """Whether the CA has understood the last request and will not do it."""
        return 400 <= self.status < 500 and self.status != 429

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        for attempt in range(MAX_NONCES):
            try:
                return self._post_once(*args, **dict(kwargs))
            except messages.Error as error:
                if error.code != "badNonce" or attempt == MAX_NONCES - 1:
                    raise
        raise AssertionError


def _seconds(text: str) -> float | None:
    """Read ``Retry-After`` (RFC 9110, section 10.2.3)."""
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


class Connection:
    """Signed requests to one CA. Every failure is a ``CertificateError``."""

    def __init__(self, authority: Authority, account: Account, known: Known | None = None) -> None:
        """Open a connection; with what is ``known`` the CA is not asked what it offers."""
        self._authority = authority
        self._account = account
        context = known.context if known is not None else authority.context()
        self._net = _Network(load_key(account.key), authority, context)
        self._net.account = {"uri": account.url} if account.url else None  # type: ignore[assignment]
        self.known = known or Known(context, self.get(authority.directory).json)

    def close(self) -> None:
        """Give the connection back."""
        self._net.session.close()

    @property
    def directory(self) -> dict[str, Any]:
        """What the CA offers, by its name."""
        return self.known.directory

    @property
    def meta(self) -> dict[str, Any]:
        """What the CA says about itself (RFC 8555, section 7.1.1)."""
        meta = self.directory.get("meta")
        return meta if isinstance(meta, dict) else {}

    def register(self, email: str, kid: str = "", hmac: str = "") -> Account:
        """Return the account, registered if it was not; ``kid`` and ``hmac``: external binding."""
        if self._account.url:
            return self._account
        content: dict[str, Any] = {"termsOfServiceAgreed": True}
        if email:
            content["contact"] = [f"mailto:{email}"]
        if kid:
            content["externalAccountBinding"] = self._binding(kid, hmac)
        elif self.meta.get("externalAccountRequired"):
            raise CertificateError(
                f"the CA {self._authority.directory} demands an external account binding;"
                " set acme.eab.kid and acme.eab.hmacEncoded",
            )
        answer = self.post(self.directory["newAccount"], content)
        old = self._account
        self._account = Account(old.directory, old.key, answer.url, old.contact)
        self._net.account = {"uri": answer.url}  # type: ignore[assignment]
        return self._account

    def knows_account(self) -> bool:
        """Whether the CA still has our account; one that was lost is registered anew."""
        try:
            self.post(self._account.url, None)
        except CertificateError as error:
            if error.code in {"accountDoesNotExist", "malformed", "unauthorized"}:
                return False
            raise
        return True

    def _binding(self, kid: str, hmac: str) -> dict[str, Any]:
        try:
            return messages.ExternalAccountBinding.from_data(
                self._net.jwk.public_key(), kid, hmac, messages.Directory(self.directory)
            )
        except (ValueError, JoseError) as error:
            raise CertificateError(f"acme.eab.hmacEncoded is not base64url: {error}") from error

    def key_authorization(self, token: str) -> str:
        """Return the answer to a challenge (RFC 8555, section 8.1)."""
        return f"{token}.{b64.b64encode(self._net.jwk.thumbprint()).decode()}"

    def get(self, url: str) -> Answer:
        """Fetch without a signature."""
        return self._ask(lambda: self._net.get(url), url)

    def post(self, url: str, content: Mapping[str, Any] | None) -> Answer:
        """Send signed ``content``; None fetches (POST-as-GET)."""
        payload = None if content is None else _Payload(content)
        nonce = self.directory["newNonce"]
        return self._ask(lambda: self._net.post(url, payload, new_nonce_url=nonce), url)

    def _ask(self, send: Any, url: str) -> Answer:
        try:
            response: requests.Response = send()
        except messages.Error as error:
            refusal = problem(error.to_partial_json(), self._net.retry_after)
            refusal.status, refusal.passing = self._net.status, not self._net.is_refused
            raise refusal from error
        except requests.RequestException as error:
            raise Unanswered(f"the CA does not answer at {url}: {error}") from error
        except (errors.Error, JoseError, KeyError) as error:
            raise CertificateError(
                f"the CA answers {url} with something that is not ACME: {error}",
                retry_after=self._net.retry_after,
                status=self._net.status,
                passing=not self._net.is_refused,
            ) from error
        try:
            content = response.json()
        except ValueError:
            content = {}
        return Answer(
            response.headers.get("Location", url),
            response.text,
            self._net.retry_after,
            tuple(_alternates(response)),
            content if isinstance(content, dict) else {},
        )

    def revoke(self, chain: str, reason: int = 0) -> None:
        """Revoke a certificate of this account (RFC 8555, section 7.6)."""
        leaf = x509.load_pem_x509_certificate(chain.encode())
        encoded = b64.b64encode(leaf.public_bytes(Encoding.DER)).decode()
        self.post(self.directory["revokeCert"], {"certificate": encoded, "reason": reason})


def _alternates(response: requests.Response) -> list[str]:
    """Return the URLs of other chains; several links may have the same relation."""
    links = requests.utils.parse_header_links(response.headers.get("Link", ""))
    return [link["url"] for link in links if link.get("rel") == "alternate"]


def problem(document: Mapping[str, Any], retry_after: float | None = None) -> CertificateError:
    """Turn a problem document (RFC 7807) into our error."""
    code = str(document.get("type", "")).removeprefix(_PREFIX)
    text = str(document.get("detail", "") or document.get("title", "") or "no reason given")
    parts = [
        f"{part.get('identifier', {}).get('value', '?')}: {part.get('detail', '')}"
        for part in document.get("subproblems") or ()
        if isinstance(part, Mapping)
    ]
    message = f"the CA refuses: {text}" + (f" ({'; '.join(parts)})" if parts else "")
    return CertificateError(f"{message} [{code}]", retry_after=retry_after, code=code)
