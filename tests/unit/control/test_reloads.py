"""What a thousand changes of other services leave alone."""

import asyncio

from edgerouter.config.dynamic.http import ServerHealthCheck, ServersTransport
from edgerouter.control.health import ByService, Check, HealthChecks
from tests.support.data_plane import answer, read_head, upstream

RELOADS = 1000


async def test_health_checks_of_untouched_services_are_not_restarted() -> None:
    probes = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal probes
        while True:
            await read_head(reader)
            probes += 1
            writer.write(answer(b"no", status=b"503 Service Unavailable"))

    told: asyncio.Queue[tuple[ByService, ByService]] = asyncio.Queue()
    checks = HealthChecks(lambda *found: told.put_nowait(found))
    options = ServerHealthCheck(path="/health", interval=60.0)

    def check(service: str, url: str) -> Check:
        return Check(service, url, options, ServersTransport())

    async with upstream(serve) as port:
        stays = check("stays@docker", f"http://127.0.0.1:{port}")
        checks.update([stays])
        known = {"stays@docker": frozenset([stays.url])}
        assert await asyncio.wait_for(told.get(), 5) == ({}, known), "nothing is known yet"
        assert await asyncio.wait_for(told.get(), 5) == (known, {})
        for number in range(RELOADS):
            # The other one never gets as far as a probe.
            checks.update([stays, check("other@docker", f"http://127.0.0.1:9/{number}")])
        checks.update([stays])
        await asyncio.sleep(0.05)
        assert probes == 1
        while not told.empty():
            down, unproven = told.get_nowait()
            assert down == known, "it has stayed down all the time"
            assert "stays@docker" not in unproven
        await checks.close()
