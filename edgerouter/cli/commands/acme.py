"""``edgerouter acme import FILE``: takes over the certificates of Traefik's ``acme.json``."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

NAME = "acme"
SUMMARY = "Takes over Traefik's acme.json; needs the resolvers' options that the router has."
USAGE = "edgerouter acme import FILE [--option=value]..."


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Import what the file has of every configured resolver; 1 when anything is left out."""
    if len(argv) < 2 or argv[0] != "import" or argv[1].startswith("-"):
        sys.stderr.write(f"edgerouter acme: usage: {USAGE}\n")
        return 2
    from edgerouter.acme.errors import CertificateError  # noqa: PLC0415 - loads much.
    from edgerouter.acme.importer import import_resolver, read_file  # noqa: PLC0415
    from edgerouter.acme.storage import Storage, storage_directory  # noqa: PLC0415
    from edgerouter.config.loader import StaticConfigurationError, load_static  # noqa: PLC0415

    try:
        configuration = load_static(argv[2:], environ).configuration
    except StaticConfigurationError as error:
        return _fail(f"wrong configuration: {error}")
    status = 0
    try:
        content = read_file(Path(argv[1]))
        for name, resolver in configuration.certificates_resolvers.items():
            if resolver.acme is None or name not in content:
                continue
            storage = Storage(storage_directory(resolver.acme.storage), name)
            storage.open()
            done = import_resolver(content, storage, resolver.acme.ca_server)
            for names in done.certificates:
                sys.stdout.write(f"{name}: {', '.join(names)}\n")
            for problem in done.problems:
                status = _fail(f"{name}: {problem}")
    except (CertificateError, OSError) as error:
        return _fail(str(error))
    for name in sorted(content.keys() - configuration.certificates_resolvers.keys()):
        status = _fail(
            f'the resolver "{name}" is not configured; add --certificatesresolvers.{name}.acme...'
        )
    return status


def _fail(reason: str) -> int:
    sys.stderr.write(f"edgerouter acme: {reason}\n")
    return 1
