"""Copies of certificates for other programs: PEM or PFX files, and a program told of changes."""

import hashlib
import logging
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    KeySerializationEncryption,
    NoEncryption,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from edgerouter.acme.files import write_private, write_private_bytes
from edgerouter.acme.keys import load_key
from edgerouter.acme.storage import Stored, file_name
from edgerouter.config.static.certificates import Export
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

COMMAND_TIME = 60.0
"""Seconds the program has."""


_EXPORTED, _TOLD = ".exported", ".told"
"""Files with a digest of the copies: that are there, that who uses them has been told of."""


def by_directory(certificates: Iterable[Stored]) -> dict[str, Stored]:
    """Return the name of each certificate's directory; of several with one, the newest has it."""
    oldest_first = sorted(certificates, key=lambda each: each.facts.not_before)
    return {_directory_name(each): each for each in oldest_first}


def _directory_name(stored: Stored) -> str:
    return file_name(stored.names[0])


def export(options: Export, stored: Stored, environ: Mapping[str, str] = os.environ) -> bool:
    """Write the copies of one certificate; run the program when one has changed. Blocking.

    Returns whether those that use them are still to be told, until ``note_told``.

    Every failure is logged: nobody's certificate depends on a copy.
    """
    if not options.directory:
        return False
    directory = Path(options.directory) / _directory_name(stored)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        changed = _write(options, stored, directory)
        to_tell = not _is_told(directory)
    except (OSError, ValueError) as error:
        log.error(
            "A copy of a certificate cannot be written",
            extra=fields(directory=str(directory), reason=str(error)),
        )
        return False
    if changed and options.command:
        _run(options.command, directory, stored, environ)
    return to_tell


def note_told(options: Export, stored: Stored) -> None:
    """Keep that those that use the copies know of them as they are now. Blocking.

    Raises:
        OSError: It cannot be written.
    """
    directory = Path(options.directory) / _directory_name(stored)
    write_private(directory / _TOLD, (directory / _EXPORTED).read_text())


def _is_told(directory: Path) -> bool:
    told = directory / _TOLD
    return told.exists() and told.read_text() == (directory / _EXPORTED).read_text()


def _write(options: Export, stored: Stored, directory: Path) -> bool:
    # What is there is compared by a digest: PFX files differ each time.
    mark = directory / _EXPORTED
    content = f"{stored.chain}{stored.key}{options.formats}{options.password}{options.group}"
    digest = hashlib.sha256(content.encode()).hexdigest()
    if mark.exists() and mark.read_text() == digest:
        return False
    written = [directory]
    if "pem" in options.formats:
        written += [directory / "key.pem", directory / "certificate.pem"]
        write_private(directory / "key.pem", stored.key)
        write_private(directory / "certificate.pem", stored.chain)
    if "pfx" in options.formats:
        written.append(directory / "certificate.pfx")
        write_private_bytes(directory / "certificate.pfx", _pfx(stored, options.password))
    if options.group is not None:
        _open_to(options.group, written)
    write_private(mark, digest)
    return True


def _open_to(group: int, paths: Iterable[Path]) -> None:
    """Let a group read files and look into directories."""
    for path in paths:
        os.chown(path, -1, group)
        path.chmod(0o750 if path.is_dir() else 0o640)


def _pfx(stored: Stored, password: str) -> bytes:
    leaf, *others = x509.load_pem_x509_certificates(stored.chain.encode())
    protection: KeySerializationEncryption = NoEncryption()
    if password:
        protection = BestAvailableEncryption(password.encode())
    name = stored.names[0].encode()
    return serialize_key_and_certificates(name, load_key(stored.key), leaf, others, protection)


def _run(command: str, directory: Path, stored: Stored, environ: Mapping[str, str]) -> None:
    try:
        subprocess.run(  # noqa: S603 - the administrator names the program.
            [command, str(directory)],
            env={**environ, "EDGEROUTER_DOMAINS": ",".join(stored.names)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIME,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        reason = (error.stderr or "").strip()[-300:] or f"status {error.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    else:
        return
    log.error(
        "The program for copies of certificates failed",
        extra=fields(command=command, directory=str(directory), reason=reason),
    )
