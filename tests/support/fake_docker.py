"""A Docker daemon on a Unix socket that can be made to fail as a real one does not."""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

Fault = Callable[[], Awaitable[web.StreamResponse | None]]


def container_data(name: str, ip: str = "10.0.0.2", **labels: str) -> dict[str, Any]:
    """An inspection of a running container."""
    return {
        "Id": f"{name:0>64}",
        "Name": f"/{name}",
        "Created": "2026-01-01T00:00:00Z",
        "State": {"Status": "running", "StartedAt": "1"},
        "HostConfig": {"NetworkMode": "web"},
        "Config": {"Labels": labels, "StopTimeout": 0},
        "NetworkSettings": {
            "Ports": {"80/tcp": None},
            "Networks": {"web": {"NetworkID": "id-web", "IPAddress": ip}},
        },
    }


class FakeDocker:
    """The calls the provider makes. Handlers in ``faults`` run first, by kind of call."""

    def __init__(self, path: Path) -> None:
        self.endpoint = f"unix://{path}"
        self.tcp_endpoint = ""
        self.version: dict[str, Any] = {"Version": "99.0", "ApiVersion": "1.51"}
        self.containers: dict[str, dict[str, Any]] = {}
        self.faults: dict[str, Fault] = {}
        self.calls: Counter[str] = Counter()
        self.inspected: Counter[str] = Counter()
        self.requests: list[web.Request] = []
        self.acts: list[tuple[str, str]] = []
        """Signals that were sent, programs that were run and restarts, by container."""
        self.exit_code = 0
        self._path = path
        self._streams: list[asyncio.Queue[bytes | None]] = []

    def add(self, *inspections: dict[str, Any]) -> None:
        self.containers.update({data["Id"]: data for data in inspections})

    def emit(self, action: str, name: str, **attributes: str) -> None:
        """Send an event about a container to every stream."""
        actor = {"ID": f"{name:0>64}", "Attributes": attributes}
        self.send(json.dumps({"Type": "container", "Action": action, "Actor": actor}).encode())

    def send(self, line: bytes) -> None:
        for stream in self._streams:
            stream.put_nowait(line + b"\n")

    def drop_streams(self) -> None:
        """End the streams as a daemon does that stops."""
        for stream in self._streams:
            stream.put_nowait(None)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        kind, handler = self._route(request.path)
        self.calls[kind] += 1
        self.requests.append(request)
        fault = self.faults.get(kind)
        answer = await fault() if fault is not None else None
        return answer if answer is not None else await handler(request)

    def _route(
        self, path: str
    ) -> tuple[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]:
        if path == "/_ping":
            return "ping", self._ping
        if path.endswith("/version"):
            return "version", self._version
        if path.endswith("/events"):
            return "events", self._events
        if path.endswith("/containers/json"):
            return "list", self._list
        if path.endswith("/kill"):
            return "kill", self._kill
        if path.endswith("/restart"):
            return "restart", self._restart
        if "exec" in path.split("/"):
            return "exec", self._exec
        return "inspect", self._inspect

    async def _ping(self, _request: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _version(self, _request: web.Request) -> web.Response:
        return web.json_response(self.version)

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response([_row(data) for data in self.containers.values()])

    async def _inspect(self, request: web.Request) -> web.Response:
        container_id = request.path.split("/")[-2]
        self.inspected[container_id.lstrip("0")] += 1
        data = self.containers.get(container_id)
        if data is None:
            return web.json_response({"message": "No such container"}, status=404)
        return web.json_response(data)

    async def _kill(self, request: web.Request) -> web.Response:
        self.acts.append((request.path.split("/")[-2].lstrip("0"), request.query["signal"]))
        return web.Response(status=204)

    async def _restart(self, request: web.Request) -> web.Response:
        timeout = request.query["t"]
        self.acts.append((request.path.split("/")[-2].lstrip("0"), f"restart in {timeout} s"))
        return web.Response(status=204)

    async def _exec(self, request: web.Request) -> web.Response:
        *_, before, last = request.path.split("/")
        match last:
            case "exec":
                command = " ".join((await request.json())["Cmd"])
                self.acts.append((before.lstrip("0"), command))
                return web.json_response({"Id": "1"}, status=201)
            case "start":
                return web.Response()
            case _:
                return web.json_response({"Running": False, "ExitCode": self.exit_code})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        stream: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._streams.append(stream)
        try:
            while (line := await stream.get()) is not None:
                await response.write(line)
        finally:
            self._streams.remove(stream)
        return response

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["FakeDocker"]:
        """Serve on the Unix socket, and on a TCP port at ``tcp_endpoint``."""
        runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, str(self._path)).start()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        _, (host, port) = runner.addresses
        self.tcp_endpoint = f"tcp://{host}:{port}"
        try:
            yield self
        finally:
            self.drop_streams()
            assert runner.server is not None
            for connection in runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()  # TLS would wait for the client's farewell.
            await runner.cleanup()
            await asyncio.sleep(0)  # Transports close their sockets in the loop's next turn.


def _row(data: dict[str, Any]) -> dict[str, Any]:
    """The row of the list for an inspection."""
    health = (data["State"].get("Health") or {}).get("Status")
    return {
        "Id": data["Id"],
        "Names": [data["Name"]],
        "State": data["State"]["Status"],
        "Status": f"Up 1 second ({health})" if health else "Up 1 second",
        "NetworkSettings": {"Networks": data["NetworkSettings"]["Networks"]},
    }
