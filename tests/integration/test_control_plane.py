"""The whole life of the processes: start, signals, deaths, changes, the end."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

LISTENS = re.compile(rb"Entry point listens entryPointName=(\S+) address=127\.0\.0\.1:(\d+)")

EARLY = """
import os, signal, sys, threading
from edgerouter.cli import main
from edgerouter.cli.commands import run  # Loaded before the clock runs: it may take long.

threading.Timer(float(sys.argv[1]), os.kill, (os.getpid(), signal.SIGTERM)).start()
sys.exit(main(sys.argv[2:], os.environ))
"""


class Plane:
    """A running edgerouter with the entry points ``web`` and ``traefik``."""

    def __init__(self, process: asyncio.subprocess.Process, ports: dict[str, int]) -> None:
        self.process = process
        self.ports = ports

    async def has_obeyed(self) -> None:
        """Wait until the order to stop has been taken."""
        async with asyncio.timeout(10):
            assert self.process.stdout is not None
            while b"Ordered to stop" not in await self.process.stdout.readline():
                pass

    async def get(self, path: str, name: str = "traefik", host: str = "a") -> tuple[int, bytes]:
        """Return status and body of the answer to one request on a connection of its own."""
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[name])
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            try:
                writer.write(request.encode())
                answer = await reader.read()
            finally:
                writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    async def api(self, path: str) -> Any:
        status, body = await self.get(path)
        assert status == 200, body
        return json.loads(body)

    async def workers(self) -> list[int]:
        return [worker["pid"] for worker in await self.api("/api/edgerouter/workers")]

    async def ended(self) -> int:
        async with asyncio.timeout(15):
            return await self.process.wait()


@asynccontextmanager
async def plane(*flags: str, **environment: str) -> AsyncIterator[Plane]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edgerouter", "--log.level=INFO", "--edgerouter.workers=2"),
        *("--entryPoints.web.address=127.0.0.1:0", "--entryPoints.traefik.address=127.0.0.1:0"),
        *("--api.insecure", "--ping", *flags),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    ports: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_end, process)
        async with asyncio.timeout(15):
            while len(ports) < 2 and (line := await process.stdout.readline()):
                if found := LISTENS.search(line):
                    ports[found[1].decode()] = int(found[2])
        assert len(ports) == 2, "it ended before it listened"
        yield Plane(process, ports)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    assert process.stdout is not None
    await process.stdout.read()
    await process.wait()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something in another process, which sets no event of ours."""
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state != b"Z"


class Backend:
    """A server whose answers to ``/slow`` wait for ``release``."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.asked = asyncio.Event()
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if b"/slow" in head:
                    self.asked.set()
                    await self.release.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def backend() -> AsyncIterator[Backend]:
    made = Backend()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        made.release.set()
        server.close()


def routes(path: Path, url: str, host: str = "a") -> str:
    """Write a dynamic file with one router; return the flag for it."""
    routers = {"r": {"rule": f"Host(`{host}`)", "service": "s", "entryPoints": ["web"]}}
    services = {"s": {"loadBalancer": {"servers": [{"url": url}]}}}
    new = path / "new"
    new.write_text(json.dumps({"http": {"routers": routers, "services": services}}))
    new.replace(path / "dynamic.yml")
    return f"--providers.file.filename={path / 'dynamic.yml'}"


async def test_start_api_and_graceful_end(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        flag = f"--edgerouter.runtimeDir={tmp_path / 'run'}"
        async with plane(flag, NOTIFY_SOCKET=str(tmp_path / "notify")) as running:
            loop = asyncio.get_running_loop()
            assert await asyncio.wait_for(loop.sock_recv(manager, 100), 10) == b"READY=1"
            assert await running.get("/ping") == (200, b"OK")
            sock = tmp_path / "run" / "admin.sock"
            assert sock.stat().st_mode & 0o777 == 0o600
            assert sock.parent.stat().st_mode & 0o777 == 0o700
            point = await running.api("/api/entrypoints/web")
            assert point["edgerouter"]["listening"] == f"127.0.0.1:{running.ports['web']}"
            pids = await running.workers()
            assert len(set(pids)) == 2
            running.process.terminate()
            assert await running.ended() == 0
            assert await asyncio.wait_for(loop.sock_recv(manager, 100), 5) == b"STOPPING=1"
            assert not sock.exists()
            assert not any(lives(pid) for pid in pids)


async def test_the_dashboard_behind_routers_of_the_user(tmp_path: Path) -> None:
    routers = {
        "all": {"rule": "Host(`all`)", "service": "api@internal"},
        "page": {"rule": "Host(`page`)", "service": "dashboard@internal"},
    }
    points = {name: {**router, "entryPoints": ["web"]} for name, router in routers.items()}
    (tmp_path / "dynamic.yml").write_text(json.dumps({"http": {"routers": points}}))
    base = (f"--providers.file.filename={tmp_path / 'dynamic.yml'}", "--api.insecure=false")
    async with plane(*base, "--api.basePath=/base") as running:
        for host, path, status in (
            ("all", "/base/api/version", 200),
            ("all", "/base/dashboard/", 200),
            ("all", "/base/dashboard/dashboard.js", 200),
            ("all", "/base/", 302),
            ("all", "/dashboard/", 404),
            ("page", "/", 302),
            ("page", "/base/dashboard/", 200),
            ("page", "/dashboard.css", 200),
            ("page", "/base/api/version", 404),
            ("page", "/base/api/rawdata", 404),
        ):
            assert (await running.get(path, "web", host))[0] == status, (host, path)


async def test_a_worker_killed_under_requests_is_replaced(tmp_path: Path) -> None:
    async with backend() as server, plane(routes(tmp_path, server.url)) as running:
        assert await running.get("/", "web") == (200, b"hi")
        pids = await running.workers()
        for number in range(100):
            if number == 10:
                os.kill(pids[0], signal.SIGKILL)
            assert await running.get("/", "web") == (200, b"hi")

        async def replaced() -> bool:
            workers = await running.api("/api/edgerouter/workers")
            return bool(workers[0]["ready"] and workers[0]["pid"] != pids[0])

        await until(replaced)
        worker = (await running.api("/api/edgerouter/workers"))[0]
        assert worker["restarts"] == 1
        assert "SIGKILL" in worker["lastExit"]
        assert worker["version"] == 1


async def test_no_request_waits_for_a_worker_that_keeps_dying(tmp_path: Path) -> None:
    async with backend() as server, plane(routes(tmp_path, server.url)) as running:
        assert await running.get("/", "web") == (200, b"hi")
        killed: set[int] = set()
        slowest = 0.0
        loop = asyncio.get_running_loop()
        end = loop.time() + 20
        while len(killed) < 4 and loop.time() < end:
            pid = (await running.workers())[0]
            if pid not in killed:
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)
            for _ in range(10):
                began = loop.time()
                assert await running.get("/", "web") == (200, b"hi")
                slowest = max(slowest, loop.time() - began)
        assert len(killed) == 4
        assert slowest < 0.5  # A new worker needs longer to load, even without the pause.


async def test_requests_under_way_finish_when_it_stops(tmp_path: Path) -> None:
    async with backend() as server, plane(routes(tmp_path, server.url)) as running:
        slow = asyncio.create_task(running.get("/slow", "web"))
        await asyncio.wait_for(server.asked.wait(), 10)
        running.process.terminate()

        async def refused() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", running.ports["web"])
            except ConnectionRefusedError:
                return True
            writer.close()
            return False

        await until(refused)
        server.release.set()
        assert await slow == (200, b"hi")
        assert await running.ended() == 0


async def test_ping_says_so_while_connections_are_still_accepted() -> None:
    grace = "--entryPoints.traefik.transport.lifeCycle.requestAcceptGraceTimeout=1"
    async with plane(grace) as running:
        assert await running.get("/ping") == (200, b"OK")
        running.process.terminate()

        async def terminating() -> bool:
            return (await running.get("/ping"))[0] == 503

        await until(terminating)
        assert await running.ended() == 0


async def healthcheck(directory: Path) -> tuple[int, str]:
    """Run the health check of the image; return its status and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edgerouter", "healthcheck"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(directory)},
    )
    said, _ = await asyncio.wait_for(process.communicate(), 15)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_the_health_check_needs_no_ping(tmp_path: Path) -> None:
    status, said = await healthcheck(tmp_path)
    assert status == 1
    assert "no running router of this user was found" in said
    grace = "--entryPoints.traefik.transport.lifeCycle.requestAcceptGraceTimeout=5"
    async with plane(grace, TMPDIR=str(tmp_path)) as running:

        async def serves() -> bool:
            return await healthcheck(tmp_path) == (0, "OK: 2 workers serve\n")

        await until(serves)
        running.process.terminate()

        async def stops() -> bool:
            status, said = await healthcheck(tmp_path)
            return status == 1 and "the router is stopping" in said

        await until(stops)


async def test_what_takes_longer_than_the_grace_time_is_cut(tmp_path: Path) -> None:
    grace = "--entryPoints.web.transport.lifeCycle.graceTimeOut=100ms"
    async with backend() as server, plane(routes(tmp_path, server.url), grace) as running:
        slow = asyncio.create_task(running.get("/slow", "web"))
        await asyncio.wait_for(server.asked.wait(), 10)
        running.process.terminate()
        assert await running.ended() == 0
        with pytest.raises((IndexError, ConnectionError)):
            await slow


async def test_a_second_order_by_sigterm_changes_nothing(tmp_path: Path) -> None:
    """``timeout`` and others send it to the process and to its group."""
    accept = "--entryPoints.traefik.transport.lifeCycle.requestAcceptGraceTimeout=2"
    async with backend() as server, plane(routes(tmp_path, server.url), accept) as running:
        slow = asyncio.create_task(running.get("/slow", "web"))
        await asyncio.wait_for(server.asked.wait(), 10)
        running.process.send_signal(signal.SIGTERM)
        await running.has_obeyed()
        running.process.send_signal(signal.SIGTERM)
        await running.api("/api/version")  # The control plane is at work: it has seen the signal.
        server.release.set()
        assert await slow == (200, b"hi")
        assert await running.ended() == 0


async def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    grace = "--entryPoints.web.transport.lifeCycle.graceTimeOut=60"
    async with backend() as server, plane(routes(tmp_path, server.url), grace) as running:
        slow = asyncio.create_task(running.get("/slow", "web"))
        await asyncio.wait_for(server.asked.wait(), 10)
        pids = await running.workers()
        running.process.send_signal(signal.SIGTERM)
        await running.has_obeyed()  # Of two that wait, the system delivers SIGINT first.
        running.process.send_signal(signal.SIGINT)
        await running.ended()
        assert not any(lives(pid) for pid in pids)
        with pytest.raises((IndexError, ConnectionError)):
            await slow


async def test_no_worker_outlives_the_control_plane(tmp_path: Path) -> None:
    async with backend() as server, plane(routes(tmp_path, server.url)) as running:
        slow = asyncio.create_task(running.get("/slow", "web"))
        await asyncio.wait_for(server.asked.wait(), 10)
        pids = await running.workers()
        running.process.kill()
        # What is under way still finishes.
        server.release.set()
        assert await slow == (200, b"hi")

        async def gone() -> bool:
            return not any(lives(pid) for pid in pids)

        await until(gone)


async def test_sighup_reads_files_again(tmp_path: Path) -> None:
    async with backend() as server:
        flag = routes(tmp_path, server.url, "a")
        async with plane(flag, "--providers.file.watch=false") as running:
            assert (await running.get("/", "web", "a"))[0] == 200
            routes(tmp_path, server.url, "b")
            running.process.send_signal(signal.SIGHUP)

            async def changed() -> bool:
                return (await running.get("/", "web", "b"))[0] == 200

            await until(changed)
            assert (await running.get("/", "web", "a"))[0] == 404


async def test_sigusr1_opens_log_files_anew(tmp_path: Path) -> None:
    access = tmp_path / "access.log"
    async with plane(f"--accessLog.filePath={access}", "--accessLog.addInternals") as running:
        await running.get("/ping")
        access.rename(tmp_path / "access.log.1")
        running.process.send_signal(signal.SIGUSR1)

        async def written_anew() -> bool:
            await running.get("/ping")
            return access.exists() and access.stat().st_size > 0

        await until(written_anew)


@pytest.mark.parametrize("milliseconds", [60, 120, 200, 300, 450])
async def test_an_order_to_stop_during_the_start_is_obeyed(
    tmp_path: Path, milliseconds: int
) -> None:
    flags = ("--entryPoints.web.address=127.0.0.1:0", "--edgerouter.workers=1", "--log.level=INFO")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", EARLY, str(milliseconds / 1000), *flags),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    output, _ = await asyncio.wait_for(process.communicate(), 15)
    assert process.returncode == 0, output
    assert b"Traceback" not in output
    assert list(tmp_path.iterdir()) == []


async def test_signals_for_later_do_not_end_the_start() -> None:
    async with plane() as running:
        for number in (signal.SIGHUP, signal.SIGUSR1):
            running.process.send_signal(number)
        assert await running.get("/ping") == (200, b"OK")


async def test_sockets_of_systemd_are_served_across_a_restart(tmp_path: Path) -> None:
    """The whole start with LISTEN_FDS, twice; a client in between waits instead of failing."""
    flags = (
        *("--edgerouter.workers=2", "--log.format=json", "--ping.entryPoint=web"),
        *("--entryPoints.web.address=127.0.0.1:1", "--api.insecure"),
        "--entryPoints.traefik.address=127.0.0.1:0",
    )
    with (
        socket.create_server(("127.0.0.1", 0)) as web,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as other,
    ):
        script = f'exec 3<&{web.fileno()} 4<&{other.fileno()}; LISTEN_PID=$$ exec "$@"'
        waiting: asyncio.Task[tuple[int, bytes]] | None = None
        for _ in range(2):
            process = await asyncio.create_subprocess_exec(
                *("bash", "-c", script, "bash", sys.executable, "-m", "edgerouter", *flags),
                stdout=asyncio.subprocess.PIPE,
                pass_fds=[web.fileno(), other.fileno()],
                env={**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:nobody"},
            )
            running = Plane(process, {"web": web.getsockname()[1]})
            try:
                if waiting is not None:
                    assert await waiting == (200, b"OK")
                assert await running.get("/ping", "web") == (200, b"OK")
                process.terminate()
                output, _ = await asyncio.wait_for(process.communicate(), 15)
            finally:
                await _end(process)
            assert process.returncode == 0
            lines = [json.loads(line) for line in output.splitlines()]
            (unused,) = (line for line in lines if "systemd" in line["message"])
            assert unused["socket"] == "nobody"
            # Nobody serves it now, but the socket lives on with the manager.
            waiting = asyncio.create_task(running.get("/ping", "web"))
            await asyncio.sleep(0)
        waiting.cancel()


async def test_a_taken_port_ends_the_start_with_the_reason() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edgerouter", f"--entryPoints.web.address=127.0.0.1:{port}"),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 15)
    assert process.returncode == 1
    words = f'entry point "web" cannot listen on 127.0.0.1:{port}: the port is taken'
    assert words in output.decode()
    assert b"Traceback" not in output
