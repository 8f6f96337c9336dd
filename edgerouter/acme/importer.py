"""Traefik's ``acme.json``: its certificates are taken over, so that none is ordered again."""

import base64
import binascii
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import load_der_private_key

from edgerouter.acme.connection import Account
from edgerouter.acme.errors import CertificateError
from edgerouter.acme.keys import PrivateKey, belong_together, facts_of, to_pem
from edgerouter.acme.order import Issued
from edgerouter.acme.resolver import Resolver
from edgerouter.acme.storage import Storage
from edgerouter.observability.logs import fields
from edgerouter.tls.names import ascii_name

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken over."""

    certificates: tuple[tuple[str, ...], ...]
    """Names of each."""
    problems: tuple[str, ...]
    has_account: bool = False


def read_file(path: Path) -> dict[str, Any]:
    """Return the content of an ``acme.json`` by resolver.

    Raises:
        CertificateError: It is none; the message says what is wrong.
    """
    try:
        content = json.loads(path.read_bytes() or b"{}")
    except OSError as error:
        raise CertificateError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise CertificateError(f"{path} is no JSON: {error}") from error
    if not isinstance(content, dict) or "Certificates" in content:
        raise CertificateError(f"{path} is not Traefik's acme.json of version 2 or later")
    return content


def import_resolver(content: dict[str, Any], storage: Storage, directory: str) -> Imported:
    """Take over what ``acme.json`` has of one resolver; what we have already stays.

    ``directory`` is the CA's: the account is taken over only when it is from the same host.

    Raises:
        OSError: It cannot be written.
    """
    part = content.get(storage.resolver)
    if not isinstance(part, dict):
        return Imported((), ())
    taken: list[tuple[str, ...]] = []
    problems: list[str] = []
    for names, entry in _entries(part):
        try:
            issued = Issued(_pem(entry["certificate"]), _pem(entry["key"]))
            facts = facts_of(issued.chain)
            if not belong_together(issued.chain, issued.key):
                raise ValueError("the key is not the certificate's")
            with storage.exclusive(names) as mine:
                # Another router may be taking it over just now.
                held = storage.load(names) if mine else None
                if mine and (held is None or held.facts.not_after < facts.not_after):
                    storage.save(names, issued, "")
                    taken.append(names)
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            problems.append(f"{', '.join(names) or 'a certificate'}: {error}")
    has_account = _import_account(part, storage, directory)
    return Imported(tuple(taken), tuple(problems), has_account)


def _entries(part: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    entries = part.get("Certificates")
    for entry in entries if isinstance(entries, list) else ():
        entry = _mapping(entry)  # noqa: PLW2901 - what is none has nothing of what is asked for
        domain = _mapping(entry.get("domain"))
        sans = domain.get("sans")
        names = [domain.get("main"), *(sans if isinstance(sans, list) else ())]
        yield tuple(dict.fromkeys(ascii_name(str(name).lower()) for name in names if name)), entry


def _mapping(content: object) -> dict[str, Any]:
    return content if isinstance(content, dict) else {}


def _pem(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()


def _import_account(part: dict[str, Any], storage: Storage, directory: str) -> bool:
    account = part.get("Account")
    if not isinstance(account, dict) or storage.load_account(directory) is not None:
        return False
    registration = _mapping(account.get("Registration"))
    url = str(registration.get("uri") or "")
    try:
        if urlsplit(url).hostname != urlsplit(directory).hostname:
            return False
        der = base64.b64decode(account["PrivateKey"], validate=True)
        key = load_der_private_key(der, None)
    except (KeyError, TypeError, ValueError):
        return False
    if not isinstance(key, PrivateKey):
        return False
    storage.save_account(Account(directory, to_pem(key), url, str(account.get("Email") or "")))
    return True


def import_once(file: str, resolver: Resolver, *, again: bool = False) -> None:
    """Take over the ``acme.json`` that ``acme.storage`` names, once when there is one.

    ``again``: also when that was done before, for Traefik may have had it meanwhile.

    Raises:
        CertificateError: It cannot be read. Without it everything would be ordered anew.
        OSError: What it has cannot be written.
    """
    path, storage = Path(file), resolver.storage
    if (storage.imported.exists() and not again) or not path.is_file():
        return
    try:
        content = read_file(path)
    except CertificateError as error:
        if storage.imported.exists():
            log.error("acme.json was not taken over once more", extra=fields(reason=str(error)))
            return
        raise CertificateError(
            f"acme.storage: {error}; nothing is ordered before Traefik's certificates are taken"
            " over: repair the file or empty it"
        ) from error
    done = import_resolver(content, storage, resolver.directory)
    storage.imported.touch(mode=0o600)
    for problem in done.problems:
        log.error(
            "A certificate of acme.json was not taken over",
            extra=fields(resolver=resolver.name, reason=problem),
        )
    log.info(
        "acme.json was taken over",
        extra=fields(
            resolver=resolver.name,
            file=file,
            certificates=len(done.certificates),
            account=done.has_account,
        ),
    )
