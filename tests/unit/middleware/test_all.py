"""What holds for every middleware."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from edgerouter.config.decode import decode
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.runtime import build_runtime
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware import TABLE
from edgerouter_docker.assemble import Assembler
from edgerouter_docker.inventory import Attachment, Container
from edgerouter_docker.options import Options
from edgerouter_docker.translate import settings_of
from tests.unit.middleware.exchange import request
from tests.unit.middleware.samples import BAD, PASSING, WRONG, built

KINDS = [kind for kind in TABLE if kind != "chain"]
IN_BETWEEN = {
    "addPrefix", "encodedCharacters", "ipAllowList", "ipWhiteList", "maintenance",
    "passTLSClientCert", "rateLimit", "realIp", "redirectRegex", "redirectScheme", "replacePath",
    "replacePathRegex", "stripPrefix", "stripPrefixRegex",
}  # fmt: skip
"""Those that have nothing to do with the answer: not even a coroutine of their own."""
CREDENTIALS = (b"Authorization", b"Basic Ym9iOnRlc3Q=")
STREAMS = ("text/event-stream", "application/x-ndjson", "application/grpc")


def test_there_are_samples_of_all() -> None:
    assert set(PASSING) == set(KINDS)
    assert set(BAD) == set(TABLE)


def context_of(handler: Handler) -> dict[str, Any]:
    return {"service": lambda _name: handler, "server": lambda _url, _transport: handler}


def sent(kind: str, **options: Any) -> Request:
    headers = [*options.pop("headers", ()), (b"Accept-Encoding", b"gzip")]
    if kind == "basicAuth":
        headers.append(CREDENTIALS)
    made = request("/a", headers=headers, **options)
    made.exchange.router = "r@file"
    return made


@pytest.mark.parametrize("kind", KINDS)
async def test_no_middleware_costs_a_task(kind: str) -> None:
    async def answering(_request: Request) -> Response:
        return Response(200, Headers())

    handler = built(kind, **context_of(answering))(answering)
    await handler(sent(kind))  # What is prepared once may be.
    tasks = 0

    def counting(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **more: Any
    ) -> asyncio.Task[Any]:
        nonlocal tasks
        tasks += 1
        return asyncio.Task(coroutine, loop=loop, **more)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(counting)
    response = await handler(sent(kind))
    loop.set_task_factory(None)
    assert response.status == (401 if kind == "digestAuth" else 200)
    assert tasks == 0


@pytest.mark.parametrize("kind", sorted(IN_BETWEEN))
async def test_what_only_looks_at_requests_costs_no_coroutine(kind: str) -> None:
    answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def answering(_request: Request) -> asyncio.Future[Response]:
        return answer

    assert built(kind)(answering)(sent(kind)) is answer


class Endless:
    """A stream of which only the first piece has come; ``more`` is never set."""

    length: int | None = None
    trailers = Headers()

    def __init__(self) -> None:
        self._first = b"data: first\n\n"

    async def read(self) -> bytes:
        if not self._first:
            await asyncio.Event().wait()
        data, self._first = self._first, b""
        return data

    def ready(self) -> bytes | None:
        return None

    def close(self) -> None:
        return None


@pytest.mark.parametrize("content_type", STREAMS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "digestAuth"])
async def test_nothing_holds_back_or_compresses_a_stream(kind: str, content_type: str) -> None:
    async def streaming(_request: Request) -> Response:
        return Response(200, Headers([(b"Content-Type", content_type.encode())]), Endless())

    async def allowing(_request: Request) -> Response:
        return Response(200, Headers())

    handler = built(kind, **context_of(allowing))(streaming)
    async with asyncio.timeout(5):
        response = await handler(sent(kind))
        assert await response.body.read() == b"data: first\n\n"
    assert not response.headers.has(b"content-encoding")
    response.close()


@pytest.mark.parametrize("content_type", STREAMS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "digestAuth"])
async def test_nothing_holds_back_a_stream_of_the_client(kind: str, content_type: str) -> None:
    seen = []

    async def reading(asked: Request) -> Response:
        seen.append(await asked.body.read())
        return Response(200, Headers())

    async def allowing(_request: Request) -> Response:
        return Response(200, Headers())

    handler = built(kind, **context_of(allowing))(reading)
    fields = [(b"Content-Type", content_type.encode())]
    asked = sent(kind, method="PUT", headers=fields).evolve(body=Endless())
    async with asyncio.timeout(5):
        assert (await handler(asked)).status == 200
    assert seen == [b"data: first\n\n"]


@pytest.mark.parametrize("kind", TABLE)
def test_bad_options_disable_the_router_and_name_the_label(kind: str) -> None:
    below = f"traefik.http.middlewares.m.{kind.lower()}"
    labels = {
        "traefik.http.routers.good.rule": "Host(`good.test`)",
        "traefik.http.routers.bad.rule": "Host(`bad.test`)",
        "traefik.http.routers.bad.middlewares": "m",
        **{f"{below}.{option}": value for option, value in BAD[kind].items()},
    }
    container = Container(
        id="1" * 64,
        name="shop",
        labels=labels,
        networks={"web": Attachment("id-web", "10.0.0.2")},
        published={"80/tcp": ()},
    )
    assembler = Assembler(settings_of(Options(), "docker"), own_ids=[])
    assembled = assembler.assemble({container.id: container})
    static = decode(StaticConfiguration, {"entryPoints": {"web": {"address": ":80"}}}).value
    runtime = build_runtime(static, {"docker": assembled.configuration})
    good, bad = (runtime.http.routers[f"{name}@docker"] for name in ("good", "bad"))
    assert (good.status, good.errors) == ("enabled", [])
    assert bad.status == "disabled"
    option = WRONG.get(kind, next(iter(BAD[kind])))
    if kind == "chain":
        assert 'the middleware "nobody@docker" does not exist' in bad.errors[0]
    else:
        assert f"{below}.{option}" in bad.errors[0]
        findings = [*assembled.diagnostics, *runtime.diagnostics]
        found = [each for each in findings if each.key.startswith(f"{below}.{option}")]
        assert found, findings
        assert "shop" in found[0].source
