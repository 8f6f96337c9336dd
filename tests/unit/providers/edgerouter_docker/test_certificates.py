"""Containers that are told of new certificates by a signal, a program or a restart."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.provider import ProviderUnavailable
from edgerouter_docker.certificates import Reaction, reaction_of
from edgerouter_docker.options import Options
from edgerouter_docker.provider import DockerProvider
from tests.support.fake_docker import FakeDocker, container_data
from tests.support.recording_context import running


def labels(**named: str) -> dict[str, str]:
    return {f"edgerouter.certificate.{name}": value for name, value in named.items()}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({}, None),
        (
            labels(names="mail.a.org, IMAP.a.org", signal="hup"),
            Reaction(("mail.a.org", "imap.a.org"), "SIGHUP"),
        ),
        (labels(names="a.org", signal="SIGUSR1"), Reaction(("a.org",), "SIGUSR1")),
        (labels(names="a.org", signal="1"), Reaction(("a.org",), "SIGHUP")),
        (
            labels(names="a.org", exec="sh -c 'reload all'"),
            Reaction(("a.org",), "", ("sh", "-c", "reload all")),
        ),
        (labels(names="a.org", restart="true"), Reaction(("a.org",), restart=True)),
        (
            labels(names="a.org", signal="HUP", restart="false"),
            Reaction(("a.org",), "SIGHUP"),
        ),
    ],
)
def test_labels(written: dict[str, str], expected: Reaction | None) -> None:
    assert reaction_of(written) == expected


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (labels(signal="HUP"), "certificate.names is missing"),
        (labels(names="a.org"), "certificate.signal, certificate.exec or certificate.restart=tr"),
        (labels(names="a.org", restart="false"), "certificate.restart=true is missing"),
        (labels(names="a.org", restart="always"), "certificate.restart: .*always"),
        (labels(names="a.org", signal="HUPP"), "there is no signal HUPP"),
        (labels(names="a.org", signal="9999"), "there is no signal 9999"),
        (labels(names="a.org", exec="sh -c 'open"), "certificate.exec: No closing quotation"),
    ],
)
def test_mistakes(written: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reaction_of(written)


def test_whom_a_certificate_concerns() -> None:
    reaction = Reaction(("mail.a.org",), "SIGHUP")
    assert reaction.concerns(["x.org", "mail.a.org"])
    assert reaction.concerns(["*.a.org"])
    assert not reaction.concerns(["a.org", "*.mail.a.org"])


async def changed(
    tmp_path: Path, containers: Mapping[str, dict[str, str]], *, status: int = 0, exit_code: int = 0
) -> tuple[FakeDocker, tuple[Diagnostic, ...]]:
    """Tell a provider that follows these containers of a certificate for ``mail.a.org``."""
    docker = FakeDocker(tmp_path / "docker.sock")
    docker.exit_code = exit_code
    for name, written in containers.items():
        data: dict[str, Any] = container_data(name, **written)
        docker.add(data)
    if status:

        async def refuse() -> web.StreamResponse:
            return web.json_response({"message": "not allowed"}, status=status)

        docker.faults |= {"kill": refuse, "exec": refuse, "restart": refuse}
    async with docker.serving():
        options = Options(endpoint=docker.endpoint, exposed_by_default=False)
        provider = DockerProvider("docker", options)
        async with running(provider) as context:
            said = await context.until(lambda each: each.publications)
            await provider.certificate_changed(["mail.a.org"])
    return docker, said.diagnostics


async def test_those_that_use_it_are_told(tmp_path: Path) -> None:
    docker, _ = await changed(
        tmp_path,
        {
            "mail": labels(names="mail.a.org", signal="HUP", exec="postfix reload"),
            "mqtt": labels(names="mail.a.org", restart="true"),
            "other": labels(names="b.org", signal="HUP"),
            "web": {},
        },
    )
    assert docker.acts == [
        ("mail", "SIGHUP"),
        ("mail", "postfix reload"),
        ("mqtt", "restart in 0 s"),
    ]


async def test_a_restart_gives_a_container_its_own_time_to_stop(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path / "docker.sock")
    data = container_data("mqtt", **labels(names="mail.a.org", restart="true"))
    data["Config"]["StopTimeout"] = 60
    docker.add(data)
    async with docker.serving():
        provider = DockerProvider("docker", Options(endpoint=docker.endpoint))
        async with running(provider) as context:
            await context.until(lambda each: each.publications)
            await provider.certificate_changed(["mail.a.org"])
    assert docker.acts == [("mqtt", "restart in 60 s")]


async def test_a_socket_that_is_read_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        await changed(
            tmp_path,
            {
                "imap": labels(names="mail.a.org", exec="reload"),
                "mail": labels(names="mail.a.org", signal="HUP"),
                "mqtt": labels(names="mail.a.org", restart="true"),
            },
            status=403,
        )
    for name, calls in (("imap", "/exec"), ("mail", "/kill"), ("mqtt", "/restart")):
        found = [text for text in caplog.messages if f"container {name}" in text]
        assert "the engine answered 403: not allowed" in found[0]
        assert f"a socket proxy has to allow POST /containers/{{id}}{calls}" in found[0]


async def test_an_engine_that_is_away(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path / "docker.sock")
    docker.add(container_data("mail", **labels(names="mail.a.org", signal="HUP")))
    provider = DockerProvider("docker", Options(endpoint=docker.endpoint))
    with pytest.raises(ProviderUnavailable, match="has not been seen yet"):
        await provider.certificate_changed(["mail.a.org"])
    async with docker.serving(), running(provider) as context:
        await context.until(lambda each: each.publications)
    with pytest.raises(ProviderUnavailable, match=r"docker.sock: "):
        await provider.certificate_changed(["mail.a.org"])
    assert docker.acts == []


async def test_a_program_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        await changed(tmp_path, {"mail": labels(names="mail.a.org", exec="reload")}, exit_code=3)
    assert "reload ended with status 3" in caplog.text


async def test_mistakes_are_reported_whether_the_container_is_routed_or_not(tmp_path: Path) -> None:
    docker, diagnostics = await changed(tmp_path, {"mail": labels(names="mail.a.org")})
    assert docker.acts == []
    assert [found.source for found in diagnostics] == ["container mail"]
    assert "not told of new certificates: certificate.signal, " in diagnostics[0].message
