import os
import select
import socket
import subprocess
import sys
from contextlib import closing

import pytest

from edgerouter.config.static.address import EntryPointAddress as Address
from edgerouter.control.listeners import ListenError, adopt, inherited, listen


def test_port_0_is_chosen_by_the_system_and_shown() -> None:
    listener = listen("web", Address("127.0.0.1", 0, "tcp"))
    with closing(listener):
        port = listener.sockets[0].getsockname()[1]
        assert listener.address == f"127.0.0.1:{port}"
        assert not os.get_inheritable(listener.sockets[0].fileno())
        with socket.create_connection(("127.0.0.1", port), 5):
            pass


@pytest.mark.parametrize("handed_over", [False, True], ids=["bound", "adopted"])
def test_the_kernel_looks_after_accepted_connections(handed_over: bool) -> None:
    listener = listen("web", Address("127.0.0.1", 0, "tcp"))
    if handed_over:
        listener.close()
        listener = adopt("web", socket.create_server(("127.0.0.1", 0)))
    with closing(listener):
        port = listener.sockets[0].getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), 5):
            accepted, _ = listener.sockets[0].accept()
            with accepted:
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                times = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
                found = [accepted.getsockopt(socket.IPPROTO_TCP, option) for option in times]
                assert found == [180, 15, 9]


def test_without_a_host_both_ip_versions_are_served() -> None:
    listener = listen("web", Address("", 0, "tcp"))
    with closing(listener):
        port = listener.sockets[0].getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), 5):
            pass
        if listener.sockets[0].family == socket.AF_INET6:
            with socket.create_connection(("::1", port), 5):
                pass


def test_a_taken_port_names_entry_point_address_and_remedy() -> None:
    first = listen("web", Address("127.0.0.1", 0, "tcp"))
    with closing(first):
        port = first.sockets[0].getsockname()[1]
        with pytest.raises(ListenError) as caught:
            listen("secure", Address("127.0.0.1", port, "tcp"))
    message = str(caught.value)
    assert f'entry point "secure" cannot listen on 127.0.0.1:{port}: the port is taken' in message
    assert "--entryPoints.secure.address" in message


def test_reuse_port_lets_two_programs_listen() -> None:
    first = listen("web", Address("127.0.0.1", 0, "tcp"), reuse_port=True)
    with closing(first):
        port = first.sockets[0].getsockname()[1]
        second = listen("web", Address("127.0.0.1", port, "tcp"), reuse_port=True)
        second.close()


def test_each_worker_gets_connections_of_its_own() -> None:
    listener = listen("web", Address("127.0.0.1", 0, "tcp"), workers=2)
    with closing(listener):
        addresses = {opened.getsockname() for opened in listener.sockets}
        assert len(listener.sockets) == 2
        assert len(addresses) == 1
        accepted = [0, 0]
        for _ in range(64):
            with socket.create_connection(addresses.copy().pop(), 5):
                ready, _, _ = select.select(listener.sockets, [], [], 5)
                accepted[listener.sockets.index(ready[0])] += 1
                ready[0].accept()[0].close()
        assert min(accepted) > 8


def test_two_programs_do_not_share_a_port_unnoticed() -> None:
    first = listen("web", Address("127.0.0.1", 0, "tcp"), workers=2)
    with closing(first):
        port = first.sockets[0].getsockname()[1]
        with pytest.raises(ListenError, match="the port is taken"):
            listen("web", Address("127.0.0.1", port, "tcp"), workers=2)


def test_an_address_of_another_machine() -> None:
    with pytest.raises(ListenError, match="does not have that address"):
        listen("web", Address("192.0.2.1", 0, "tcp"))


@pytest.mark.parametrize("host", ["no.such.invalid", "no..name", "a" * 64])
def test_an_unknown_host(host: str) -> None:
    with pytest.raises(ListenError, match=f'the host "{host}" is unknown'):
        listen("web", Address(host, 0, "tcp"))


FORBIDDEN = """
import encodings.idna  # Its file may be out of reach once we are nobody.
import os
from edgerouter.config.static.address import EntryPointAddress as Address
from edgerouter.control.listeners import ListenError, listen
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    listen("web", Address("127.0.0.1", {port}, "tcp")).close()
    print("allowed")
except ListenError as error:
    print(error)
"""


def test_a_forbidden_port_says_what_would_allow_it() -> None:
    code = FORBIDDEN.format(port=1)
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    if output.strip() == b"allowed":
        pytest.skip("this machine lets everybody use low ports")
    assert b'entry point "web" cannot listen on 127.0.0.1:1: permission denied' in output
    assert b"CAP_NET_BIND_SERVICE" in output


INHERITED = """
import os, socket
from edgerouter.control.listeners import inherited
os.environ["LISTEN_PID"] = str(os.getpid())
sockets = inherited(os.environ)
for name, taken in sockets.items():
    print(name, taken.getsockname()[1], os.get_inheritable(taken.fileno()))
print(sorted(name for name in os.environ if name.startswith("LISTEN_")))
"""


def test_sockets_of_systemd_are_taken_by_name() -> None:
    with socket.socket() as first, socket.socket() as second:
        for end in (first, second):
            end.bind(("127.0.0.1", 0))
            end.listen()
        ports = [first.getsockname()[1], second.getsockname()[1]]
        script = f'exec 3<&{first.fileno()} 4<&{second.fileno()}; exec {sys.executable} -c "$CODE"'
        result = subprocess.run(
            ["bash", "-c", script],
            env={**os.environ, "CODE": INHERITED, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:api"},
            pass_fds=[first.fileno(), second.fileno()],
            capture_output=True,
            check=True,
            text=True,
        )
    expected = [f"web {ports[0]} False", f"api {ports[1]} False", "[]"]
    assert result.stdout.splitlines() == expected


def test_sockets_for_another_process_are_left_alone() -> None:
    environment = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "web", "LISTEN_PID": "1"}
    assert inherited(environment) == {}
    assert environment == {}


def test_a_socket_that_is_not_of_tcp_is_refused_with_the_remedy() -> None:
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent = socket.socket()
    for handed in (datagrams, silent):
        with pytest.raises(ListenError, match=r'entry point "web".*ListenStream='):
            adopt("web", handed)
        assert handed.fileno() == -1
