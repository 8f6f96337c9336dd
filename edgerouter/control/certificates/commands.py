"""Orders from the command line about certificates, over a private socket of the control plane.

The socket is not the API's: workers pass clients' requests on to that one. A line with a
JSON object is answered by a line with a JSON object, which has ``error`` when it failed.
"""

import asyncio
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgerouter.acme.errors import CertificateError
from edgerouter.control.certificates.inventory import Inventory, planned
from edgerouter.observability.logs import fields
from edgerouter.tls.names import ascii_name

if TYPE_CHECKING:
    from edgerouter.acme.manager import Managed, Manager

log = logging.getLogger(__name__)

REASONS = {
    "unspecified": 0,
    "keyCompromise": 1,
    "affiliationChanged": 3,
    "superseded": 4,
    "cessationOfOperation": 5,
}
"""Reasons of revocation (RFC 5280, section 5.3.1)."""

MAX_LINE = 65536

Order = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def private_socket(path: Path) -> socket.socket:
    """Bind a socket that nobody but our user may connect to."""
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o177)
    try:
        bound.bind(str(path))
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(previous)
    return bound


class Commands:
    """Carries out orders."""

    def __init__(self, inventory: Inventory, manager: "Manager | None") -> None:
        self._inventory = inventory
        self._manager = manager
        self.others: dict[str, Order] = {}
        """Orders about other things, by command."""

    async def serve(self, path: Path) -> None:
        """Take orders on the socket ``path`` until cancelled."""
        try:
            opened = private_socket(path)
        except OSError as error:
            log.error(
                "edgerouter cert cannot reach this router",
                extra=fields(socket=str(path), reason=str(error)),
            )
            return
        server = await asyncio.start_unix_server(self._client, sock=opened, limit=MAX_LINE)
        async with server:
            await server.serve_forever()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, ValueError, asyncio.IncompleteReadError):
                request = json.loads(await reader.readuntil(b"\n"))
                answer = await self.answer(request)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        finally:
            writer.close()

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order; ``error`` in the answer says why it failed."""
        try:
            match request.get("command"):
                case "ls":
                    return {
                        "served": self._inventory.items(),
                        "plans": self._inventory.plans(),
                    }
                case "renew":
                    return await self._renew(str(request.get("name", "")))
                case "revoke":
                    return await self._revoke(
                        str(request.get("name", "")), str(request.get("reason", "unspecified"))
                    )
                case str(name) if name in self.others:
                    return await self.others[name](request)
                case unknown:
                    return {"error": f"there is no command {unknown}"}
        except CertificateError as error:
            return {"error": str(error)}
        except Exception:
            log.exception("An order about certificates failed")
            return {"error": "an internal error; the log has the reason"}

    def _find(self, name: str) -> "tuple[Manager, list[Managed]]":
        found = self._manager.find(ascii_name(name.lower())) if self._manager is not None else []
        if self._manager is None or not found:
            raise CertificateError(f"no resolver is to certify {name}; see edgerouter cert ls")
        return self._manager, found

    async def _renew(self, name: str) -> dict[str, Any]:
        manager, found = self._find(name)
        for managed in found:
            await manager.renew(managed)
        return {"plans": [planned(managed) for managed in found]}

    async def _revoke(self, name: str, reason: str) -> dict[str, Any]:
        if reason not in REASONS:
            return {"error": f"{reason} is no reason; use one of {', '.join(REASONS)}"}
        ascii_form = ascii_name(name.lower())
        if self._manager is None or not (held := self._manager.held(ascii_form)):
            raise CertificateError(
                f"no resolver has a certificate for {name}; see edgerouter cert ls"
            )
        problems = []
        for stored in held:
            try:
                await self._manager.revoke(stored, REASONS[reason])
            except CertificateError as error:
                problems.append(f"{stored.facts.serial} of the resolver {stored.resolver}: {error}")
        if problems:
            raise CertificateError("; ".join(problems))
        return {
            "plans": [planned(managed) for managed in self._manager.find(ascii_form)],
            "revoked": [stored.facts.serial for stored in held],
        }
