"""``edgerouter healthcheck``: asks a running router how it is; for a container's health check.

With ``ping`` it asks ``/ping``, as Traefik does. Without, it asks the private socket of the
router; and so it does at once when no option says where to ask, for that loads no models.
"""

import http.client
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from edgerouter.cli.orders import Unanswered, ask, find_socket, only_socket

NAME = "healthcheck"
SUMMARY = "Asks the running router whether it serves: its /ping with --ping, else its socket."
USAGE = "edgerouter healthcheck [--option=value]..."

TIMEOUT = 5.0
"""Seconds to connect, and then to answer (Traefik)."""

_PREFIXES = ("TRAEFIK_", "EDGEROUTER_")
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound.


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Return 0 when the router says it serves, else 1 with the reason."""
    if not argv and not any(name.startswith(_PREFIXES) for name in environ):
        with suppress(Unanswered):
            return _ask_socket(only_socket())
    from edgerouter.config.loader import (  # noqa: PLC0415 - loads every model.
        StaticConfigurationError,
        load_static,
    )

    try:
        configuration = load_static(argv, environ).configuration
    except StaticConfigurationError as error:
        return _unhealthy(f"wrong configuration: {error}")
    ping = configuration.ping
    if ping is None:
        try:
            return _ask_socket(find_socket(argv, environ))
        except Unanswered as error:
            return _unhealthy(f"{error}, or start the router and this check with --ping")
    if ping.entry_point not in configuration.entry_points:
        return _unhealthy(f'there is no entry point "{ping.entry_point}" for ping')
    return _ask(configuration.entry_points[ping.entry_point].address)


def _ask_socket(path: Path) -> int:
    """Return 0 when workers serve.

    Raises:
        Unanswered: None does, or nobody answers.
    """
    workers = ask(path, {"command": "health"}, TIMEOUT)["workers"]
    sys.stdout.write(f"OK: {workers} workers serve\n")
    return 0


def _ask(text: str) -> int:
    from edgerouter.config.static.address import EntryPointAddress  # noqa: PLC0415 - see above.

    address = EntryPointAddress.parse(text)
    host = _LOOPBACK.get(address.host, address.host)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{address.port}/ping"
    connection = http.client.HTTPConnection(host, address.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/ping")
        response = connection.getresponse()
        status = response.status
    except (OSError, http.client.HTTPException) as error:
        return _unhealthy(f"{url}: {str(error) or type(error).__name__}")
    finally:
        connection.close()
    if status != http.client.OK:
        return _unhealthy(f"{url} answered {status} {response.reason}")
    sys.stdout.write(f"OK: {url}\n")
    return 0


def _unhealthy(reason: str) -> int:
    sys.stderr.write(f"edgerouter healthcheck: {reason}\n")
    return 1
