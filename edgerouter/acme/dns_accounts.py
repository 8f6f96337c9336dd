"""Accounts at DNS providers: where TXT records are written. Blocking."""

import subprocess
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any, Protocol

import dns.exception
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import requests
from lexicon._private.discovery import find_providers
from lexicon.config import ConfigResolver

from edgerouter.acme.dns_environment import variable
from edgerouter.acme.dns_providers import PROVIDERS, Row, library_options
from edgerouter.acme.dns_timing import USUAL, Timing
from edgerouter.acme.errors import CertificateError
from edgerouter.tls.sessions import session

TIMEOUT = 60.0
"""Seconds a program or a server has for one record."""

_ALGORITHMS = ("hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")


class Account(Protocol):
    """Writes TXT records. Names are complete, without a final dot; raises ``CertificateError``."""

    timing: Timing

    def create(self, zone: str, name: str, value: str) -> None: ...

    def delete(self, zone: str, name: str, value: str) -> None: ...


def make_account(provider: str, environ: Mapping[str, str]) -> Account:
    """Return the account that a provider's environment variables describe.

    Raises:
        ValueError: There is no such provider, or a variable or a Python package is missing.
    """
    own: dict[str, Callable[[Mapping[str, str]], Account]] = {
        "exec": ProgramAccount,
        "httpreq": RequestAccount,
        "rfc2136": UpdateAccount,
    }
    if provider in own:
        return own[provider](environ)
    row = PROVIDERS.get(provider)
    if row is None:
        row = _row_of_the_library(provider, environ)
    if row is None:
        known = sorted({*PROVIDERS, *own})
        near = get_close_matches(provider, known, 1)
        meant = f'; did you mean "{near[0]}"?' if near else f"; known are {', '.join(known)}"
        raise ValueError(f'the DNS provider "{provider}" is not known{meant}')
    if not _usable_providers().get(row.library):
        raise ValueError(
            f'the DNS provider "{provider}" needs Python packages that are not installed;'
            f' install them with pip install "dns-lexicon[{row.library}]"'
        )
    return LibraryAccount(provider, row, environ)


def _row_of_the_library(provider: str, environ: Mapping[str, str]) -> Row | None:
    """Return what ``LEXICON_<PROVIDER>_*`` say of a provider that only the library knows.

    Raises:
        ValueError: They say nothing.
    """
    prefix = f"LEXICON_{provider}_".upper()
    options = {
        name.removeprefix(prefix).removesuffix("_FILE").lower(): (name.removesuffix("_FILE"),)
        for name in environ
        if name.startswith(prefix)
    }
    try:
        known = _library_provider(provider)
    except (ImportError, AttributeError):
        return None
    if not options:
        parser = ArgumentParser(add_help=False)
        known.configure_parser(parser)
        names = [f"{prefix}{option}".upper() for option in vars(parser.parse_args([]))]
        raise ValueError(
            f'the DNS provider "{provider}" needs environment variables: some of {", ".join(names)}'
        )
    return Row(provider, options, prefixes=(prefix.removesuffix("_"),))


@cache
def _usable_providers() -> Mapping[str, bool]:
    """Return whether the packages of each provider are installed; slow, so only once."""
    return find_providers()


def _library_provider(name: str) -> Any:
    # The library's own client guesses zones with a list that it downloads.
    return import_module(f"lexicon._private.providers.{name}").Provider


class LibraryAccount:
    """An account that ``dns-lexicon`` can use."""

    def __init__(self, provider: str, row: Row, environ: Mapping[str, str]) -> None:
        self._provider = provider
        self._row = row
        self._options = library_options(provider, row, environ)
        self.timing = row.timing.adapted(row.prefixes, environ)

    def create(self, zone: str, name: str, value: str) -> None:
        self._do(zone, "create_record", rtype="TXT", name=name, content=value)

    def delete(self, zone: str, name: str, value: str) -> None:
        self._do(zone, "delete_record", rtype="TXT", name=name, content=value)

    def provider_for(self, zone: str) -> Any:
        """Return the library's client; nothing has been asked yet."""
        settings = {
            "provider_name": self._row.library,
            "domain": zone,
            "ttl": self.timing.ttl,
            self._row.library: dict(self._options),
        }
        config = ConfigResolver().with_dict(settings)  # type: ignore[no-untyped-call]
        return _library_provider(self._row.library)(config)

    def _do(self, zone: str, operation: str, **arguments: str) -> None:
        try:
            provider = self.provider_for(zone)
            provider.authenticate()
            try:
                getattr(provider, operation)(**arguments)
            finally:
                provider.cleanup()
        except Exception as error:
            raise CertificateError(
                f'the DNS provider "{self._provider}" fails for the zone {zone}:'
                f" {str(error) or type(error).__name__}",
            ) from error


class UpdateAccount:
    """Dynamic updates of a name server (RFC 2136), signed with TSIG when there is a key."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        server = variable(environ, "RFC2136_NAMESERVER")
        if not server:
            raise ValueError(
                'the DNS provider "rfc2136" needs the environment variable RFC2136_NAMESERVER'
            )
        self._host, self._port = host_and_port(server)
        self._arguments: dict[str, Any] = {}
        key, secret = (variable(environ, f"RFC2136_TSIG_{name}") for name in ("KEY", "SECRET"))
        if key and secret:
            algorithm = variable(environ, "RFC2136_TSIG_ALGORITHM").strip(".") or "hmac-sha1"
            if algorithm not in _ALGORITHMS:
                raise ValueError(
                    f"RFC2136_TSIG_ALGORITHM={algorithm} is not known; use one of"
                    f" {', '.join(_ALGORITHMS)}"
                )
            try:
                ring = dns.tsigkeyring.from_text({key: (algorithm, secret)})
            except ValueError as error:
                raise ValueError(f"RFC2136_TSIG_SECRET is not base64: {error}") from error
            self._arguments = {"keyring": ring}
        self.timing = USUAL.adapted(["RFC2136"], environ)

    def create(self, zone: str, name: str, value: str) -> None:
        update = dns.update.UpdateMessage(zone, **self._arguments)
        update.add(f"{name}.", self.timing.ttl, "TXT", f'"{value}"')
        self._send(update, zone)

    def delete(self, zone: str, name: str, value: str) -> None:
        update = dns.update.UpdateMessage(zone, **self._arguments)
        update.delete(f"{name}.", "TXT", f'"{value}"')
        self._send(update, zone)

    def _send(self, update: dns.update.UpdateMessage, zone: str) -> None:
        try:
            answer = dns.query.tcp(update, self._host, TIMEOUT, self._port)
        except (OSError, dns.exception.DNSException) as error:
            reason = str(error) or type(error).__name__
        else:
            if answer.rcode() == dns.rcode.NOERROR:
                return
            reason = dns.rcode.to_text(answer.rcode())
        raise CertificateError(
            f"the name server {self._host}:{self._port} refuses the update of {zone}: {reason}",
        )


def _refuse_raw_mode(name: str, environ: Mapping[str, str]) -> None:
    if variable(environ, name).upper() == "RAW":
        raise ValueError(
            f"{name}=RAW is not supported; leave it out, and take name and value of the record"
            " instead of domain, token and key authorization"
        )


class ProgramAccount:
    """A program of the user's: ``EXEC_PATH present|cleanup <name>. <value>`` (lego)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._path = variable(environ, "EXEC_PATH")
        if not self._path:
            raise ValueError('the DNS provider "exec" needs the environment variable EXEC_PATH')
        _refuse_raw_mode("EXEC_MODE", environ)
        self._environ = dict(environ)
        self.timing = USUAL.adapted(["EXEC"], environ)

    def create(self, zone: str, name: str, value: str) -> None:
        del zone
        self._run("present", name, value)

    def delete(self, zone: str, name: str, value: str) -> None:
        del zone
        self._run("cleanup", name, value)

    def _run(self, action: str, name: str, value: str) -> None:
        try:
            subprocess.run(  # noqa: S603 - the administrator names the program.
                [self._path, action, f"{name}.", value],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            reason = (error.stderr or "").strip()[-300:] or f"status {error.returncode}"
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = str(error)
        else:
            return
        raise CertificateError(f"EXEC_PATH={self._path} {action}: {reason}")


class RequestAccount:
    """A server of the user's: ``POST <HTTPREQ_ENDPOINT>/present|cleanup`` (lego)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._endpoint = variable(environ, "HTTPREQ_ENDPOINT").rstrip("/")
        if not self._endpoint:
            raise ValueError(
                'the DNS provider "httpreq" needs the environment variable HTTPREQ_ENDPOINT'
            )
        _refuse_raw_mode("HTTPREQ_MODE", environ)
        user = variable(environ, "HTTPREQ_USERNAME")
        password = variable(environ, "HTTPREQ_PASSWORD")
        self._auth = (user, password) if user or password else None
        self.timing = USUAL.adapted(["HTTPREQ"], environ)

    def create(self, zone: str, name: str, value: str) -> None:
        del zone
        self._post("present", name, value)

    def delete(self, zone: str, name: str, value: str) -> None:
        del zone
        self._post("cleanup", name, value)

    def _post(self, action: str, name: str, value: str) -> None:
        url = f"{self._endpoint}/{action}"
        content = {"fqdn": f"{name}.", "value": value}
        try:
            with session() as posting:
                answer = posting.post(url, json=content, auth=self._auth, timeout=TIMEOUT)
                answer.raise_for_status()
        except requests.RequestException as error:
            raise CertificateError(f"{url}: {error}") from error


def host_and_port(server: str, default: int = 53) -> tuple[str, int]:
    """Split ``host``, ``host:port`` and ``[address]:port``.

    Raises:
        ValueError: The port is no number.
    """
    host, colon, port = server.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        return server.strip("[]"), default
    if not port.isdigit():
        raise ValueError(f"{server}: the port is no number")
    return host.strip("[]"), int(port)
