"""`edgerouter demo`, as `make run` starts it."""

import asyncio
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgerouter.cli.commands.demo import first_free_port
from tests.support.eventually import ask, eventually
from tests.support.fake_docker import FakeDocker, container_data
from tests.support.router_process import free_ports


@contextmanager
def running_demo(directory: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run it without Docker; give the process and what it says first."""
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "edgerouter", "demo", *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={"DOCKER_HOST": f"unix://{directory}/no-docker.sock", "PATH": ""},
        )
    assert process.stdout is not None
    try:
        text = ""
        for line in process.stdout:
            text += line
            if line.startswith("Stop"):
                break
        yield process, text
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(15)
        finally:
            process.kill()
            process.stdout.close()


def port_of(line: str, text: str) -> int:
    found = re.search(rf"^ *{line} +http://localhost:(\d+)/", text, re.MULTILINE)
    assert found, text
    return int(found[1])


def test_demo_serves_what_it_promises(tmp_path: Path) -> None:
    with running_demo(tmp_path) as (process, text):
        web = port_of("open", text)
        api = port_of("routers", text)
        assert port_of("dashboard", text) == api
        answer = eventually(lambda: ask(web, "/any/path"), lambda answer: answer.status == 200)
        assert "GET /any/path HTTP/1.1" in answer.text
        assert "X-Forwarded-For: 127.0.0.1" in answer.text
        assert '"demo@file"' in ask(api, "/api/http/routers").text
        assert "no socket at unix://" in text

        routes = re.search(r"^ *routes +(\S+)", text, re.MULTILINE)
        assert routes
        file = Path(routes[1])
        file.write_text(file.read_text().replace("PathPrefix(`/`)", "PathPrefix(`/elsewhere`)"))
        eventually(lambda: ask(web, "/any/path"), lambda answer: answer.status == 404)
        assert ask(web, "/elsewhere").status == 200
    assert process.returncode == 0
    assert not file.exists()


def test_demo_says_where_its_entry_points_really_are(tmp_path: Path) -> None:
    web, api = free_ports(2)
    options = (f"--entrypoints.web.address=:{web}", f"--entrypoints.traefik.address=:{api}")
    with running_demo(tmp_path, *options) as (_, text):
        assert (port_of("open", text), port_of("routers", text)) == (web, api)
        eventually(lambda: ask(web, "/"), lambda answer: answer.status == 200)


async def test_demo_reads_labels_as_soon_as_docker_answers(tmp_path: Path) -> None:
    with running_demo(tmp_path) as (_, text):
        web, api = port_of("open", text), port_of("routers", text)

        async def answered(words: str) -> None:
            await asyncio.to_thread(
                eventually,
                lambda: ask(web, "/api/version", host="late.test"),
                lambda answer: words in answer.text,
            )

        await answered("Hello from the demo backend")
        daemon = FakeDocker(tmp_path / "no-docker.sock")
        labels = {
            "traefik.http.routers.late.rule": "Host(`late.test`)",
            # The API takes the part of a server in a container.
            "traefik.http.services.late.loadbalancer.server.port": str(api),
        }
        daemon.add(container_data("late", ip="127.0.0.1", **labels))
        async with daemon.serving():
            await answered('"Version"')


def test_first_free_port_passes_over_ports_in_use() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        assert first_free_port(taken) > taken
    assert first_free_port(taken, taken=taken) > taken


@pytest.mark.parametrize("option", ["--nonsense=1"])
def test_demo_refuses_options_that_the_router_refuses(option: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgerouter", "demo", option],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert "nonsense" in done.stderr
