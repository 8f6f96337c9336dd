import asyncio
import socket
from collections.abc import Callable

import pytest
import uvloop

from edgerouter.http.errors import ConnectFailed
from edgerouter.proxy.upstream.connect import Address, dial
from edgerouter.proxy.upstream.h1 import UpstreamH1
from tests.support.router_process import free_ports


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_kernel_looks_after_connections_to_servers(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def options(port: int) -> list[int]:
        connection = await dial(Address("127.0.0.1", port), lambda: UpstreamH1(lambda _: None), 5)
        opened = connection._transport.get_extra_info("socket")
        times = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        found = [opened.getsockopt(socket.IPPROTO_TCP, option) for option in times]
        found.append(opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        connection.abort()
        await asyncio.sleep(0)
        return found

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        assert runner.run(options(listener.getsockname()[1])) == [30, 15, 9, 1]


@pytest.mark.parametrize(
    ("host", "remedy"),
    [
        ("127.0.0.1", "is the port right (server.port)"),
        ("nobody.invalid", "correct the host"),
        ("no..name", "no host can have such a name; correct the host"),
    ],
)
async def test_a_refusal_says_what_may_help(host: str, remedy: str) -> None:
    (port,) = free_ports(1)
    with pytest.raises(ConnectFailed) as caught:
        await dial(Address(host, port), asyncio.Protocol, 5)
    assert f"no connection to the server {host}:{port}: " in str(caught.value)
    assert remedy in str(caught.value)
