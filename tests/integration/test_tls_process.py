"""TLS of the whole product: files that change, mistakes, two workers, the access log."""

import asyncio
import json
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import eventually
from tests.support.https import ask_https
from tests.support.router_process import RouterProcess
from tests.support.tls import Pair, client_context, make_pair, with_certificate
from tests.support.tls_client import TlsClient

A = make_pair("a.test")
B = make_pair("b.test")
DEFAULT = make_pair("default.test")
CLIENT = make_pair("client")


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoServer]:
    with EchoServer({"s": 1}) as server:
        yield server


def write(directory: Path, name: str, pair: Pair) -> dict[str, str]:
    """Write a pair as certbot renews it: new files, put in place of the old ones."""
    directory.mkdir(exist_ok=True, parents=True)
    for ending, text in (("key", pair.key_pem), ("crt", pair.pem)):
        new = directory / f".{name}.{ending}"
        new.write_text(text)
        new.replace(directory / f"{name}.{ending}")
    return {"certFile": f"{directory}/{name}.crt", "keyFile": f"{directory}/{name}.key"}


def dynamic(echo: EchoServer, *certificates: dict[str, str], **tls: Any) -> dict[str, Any]:
    port = next(iter(echo.ports.values()))
    router = {"rule": "Host(`a.test`) || Host(`b.test`)", "service": "s", "entryPoints": ["web"]}
    return {
        "http": {
            "routers": {"r": {**router, "tls": {}}},
            "services": {"s": {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}},
        },
        "tls": {"certificates": list(certificates), **tls},
    }


def content(pair: Pair) -> dict[str, str]:
    return {"certFile": pair.pem, "keyFile": pair.key_pem}


FLAGS = {"edgerouter.workers": "2", "accesslog.format": "json"}


def connect(
    router: RouterProcess,
    name: str,
    context: ssl.SSLContext | None = None,
    session: ssl.SSLSession | None = None,
) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", router.ports["web"]), timeout=10)
    context = context or client_context()
    return context.wrap_socket(plain, server_hostname=name, session=session)


def get(tls: ssl.SSLSocket, name: str) -> bytes:
    tls.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
    return tls.recv(65536)


def serial(tls: ssl.SSLSocket) -> int:
    der = tls.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def test_a_changed_file_is_served_and_old_connections_live_on(
    echo: EchoServer, tmp_path: Path
) -> None:
    files = write(tmp_path / "certs", "a", A)
    renewed = make_pair("a.test")
    with (
        edgerouter(tmp_path, ["web"], FLAGS, dynamic(echo, files)) as router,
        connect(router, "a.test") as old,
    ):
        assert serial(old) == A.serial
        assert b" 200 " in get(old, "a.test")
        write(tmp_path / "certs", "a", renewed)

        def all_new() -> bool:
            serials = set()
            for _ in range(8):
                with connect(router, "a.test") as new:
                    serials.add(serial(new))
            return serials == {renewed.serial}

        eventually(all_new, bool)
        assert b" 200 " in get(old, "a.test")


def test_a_pair_that_is_half_renewed_stays_what_it_was(echo: EchoServer, tmp_path: Path) -> None:
    files = write(tmp_path / "certs", "a", A)
    renewed = make_pair("a.test")
    with edgerouter(tmp_path, ["web"], FLAGS, dynamic(echo, files)) as router:

        def problem() -> str:
            known = [item["edgerouter"] for item in router.get("/api/certificates")]
            (own,) = (each for each in known if each["origin"] == files["certFile"])
            return str(own.get("reason", ""))

        def is_served(pair: Pair) -> bool:
            serials = set()
            for _ in range(8):
                with connect(router, "a.test") as tls:
                    serials.add(serial(tls))
            return serials == {pair.serial}

        Path(files["certFile"]).write_text(renewed.pem)
        eventually(problem, bool)
        assert is_served(A)
        expected = "the key does not belong to the certificate"
        assert expected in problem()
        (found,) = router.get("/api/edgerouter/diagnostics")
        assert expected in found["message"]
        assert found["message"].endswith("what the files held before keeps serving")
        assert found["message"] in router.log.read_text()
        Path(files["keyFile"]).write_text(renewed.key_pem)
        eventually(lambda: is_served(renewed), bool)
        assert not problem()


def test_mistakes_name_the_file_and_stop_nobody_else(echo: EchoServer, tmp_path: Path) -> None:
    good = write(tmp_path / "certs", "a", A)
    mixed = {**write(tmp_path / "certs", "b", B), "keyFile": good["keyFile"]}
    gone = {"certFile": "/nowhere/c.crt", "keyFile": good["keyFile"]}
    empty = {"certFile": good["keyFile"], "keyFile": good["keyFile"]}
    configuration = dynamic(echo, mixed, gone, empty, {"certFile": good["certFile"]}, good)
    with edgerouter(tmp_path, ["web"], FLAGS, configuration) as router:
        with connect(router, "a.test") as tls:
            assert serial(tls) == A.serial
            assert b" 200 " in get(tls, "a.test")
        log = router.log.read_text()
    crt = mixed["certFile"]
    for expected in (
        f"{crt} (key: {good['keyFile']}): the key does not belong to the certificate",
        "/nowhere/c.crt does not exist; correct the path",
        f"{good['keyFile']} (key: {good['keyFile']}): holds no certificate in PEM form",
        "keyFile is missing; a certificate needs certFile and keyFile",
        "the other certificates keep serving",
    ):
        assert expected in log


def test_a_file_that_comes_later_is_found(echo: EchoServer, tmp_path: Path) -> None:
    files = {"certFile": f"{tmp_path}/certs/a.crt", "keyFile": f"{tmp_path}/certs/a.key"}
    with edgerouter(tmp_path, ["web"], FLAGS, dynamic(echo, files)) as router:
        with connect(router, "a.test") as tls:
            assert serial(tls) != A.serial
        write(tmp_path / "certs", "a", A)

        def served() -> bool:
            with connect(router, "a.test") as tls:
                return serial(tls) == A.serial

        eventually(served, bool)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_whichever_worker_answers(
    echo: EchoServer, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    files = write(tmp_path / "certs", "a", A)
    with edgerouter(tmp_path, ["web"], FLAGS, dynamic(echo, files)) as router:
        context = client_context(maximum_version=version)
        with connect(router, "a.test", context) as first:
            assert b" 200 " in get(first, "a.test")
            session = first.session
        for _ in range(12):  # That all of them meet the first worker is one in four thousand.
            with connect(router, "a.test", context, session) as again:
                assert b" 200 " in get(again, "a.test")
                assert again.session_reused


def test_content_instead_of_files_and_a_default(echo: EchoServer, tmp_path: Path) -> None:
    stores = {"default": {"defaultCertificate": content(DEFAULT)}}
    configuration = dynamic(echo, content(A), stores=stores)
    with edgerouter(tmp_path, ["web"], FLAGS, configuration) as router:
        for name, pair in (("a.test", A), ("b.test", DEFAULT), ("x.test", DEFAULT)):
            with connect(router, name) as tls:
                assert serial(tls) == pair.serial


def test_certificates_on_the_command_line(echo: EchoServer, tmp_path: Path) -> None:
    wild = make_pair("*.w.test")
    configuration = dynamic(
        echo, content(wild), stores={"default": {"defaultCertificate": content(DEFAULT)}}
    )
    configuration["http"]["routers"]["l"] = {
        **configuration["http"]["routers"]["r"],
        "rule": "Host(`x.localhost`)",
        "tls": {"certResolver": "intern"},
    }
    own = {"edgerouter.certificatesresolvers.intern.internal": "true"}
    option = f"--edgerouter.runtimedir={tmp_path}/run"

    def cert(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edgerouter", "cert", *words, option]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    flags = {**FLAGS, **own, "edgerouter.runtimedir": f"{tmp_path}/run"}
    with edgerouter(tmp_path, ["web"], flags, configuration) as router:
        eventually(lambda: len(router.get("/api/certificates")), lambda number: number == 3)
        head, *lines = cert("ls").stdout.splitlines()
        assert head.split() == ["NAMES", "STATE", "FROM", "ENDS", "RENEWAL"]
        rows = {line.split()[0]: line.split()[1:] for line in lines}
        (internal,) = router.get("/api/certificates?search=x.localhost")
        assert rows == {
            "*.w.test": ["enabled", "the", "PEM", "text", ends(wild), "-"],
            "default.test": ["enabled", "the", "PEM", "text", ends(DEFAULT), "-"],
            "x.localhost": [
                "valid",
                *("internal", "CA"),
                internal["notAfter"],
                internal["edgerouter"]["renewal"],
            ],
        }
        for name, found in (("X.localhost", "x.localhost"), ("a.W.test", "*.w.test")):
            shown = cert("show", name)
            assert shown.returncode == 0
            assert json.loads(shown.stdout)["served"][0]["sans"] == [found]
        assert cert("show", "b.a.w.test").returncode == 1


@pytest.mark.parametrize("storage", ["{directory}/ca", "/dev/null/ca"])
def test_the_root_on_the_command_line_is_the_one_that_is_used(
    echo: EchoServer, tmp_path: Path, storage: str
) -> None:
    """Also when nothing can be written, and whatever options the command is called with."""
    flags = {
        **FLAGS,
        "edgerouter.runtimedir": f"{tmp_path}/run",
        "edgerouter.internalca.storage": storage,
    }

    def root(*options: str) -> str:
        place = f"--edgerouter.runtimedir={tmp_path}/run"
        command = [sys.executable, "-m", "edgerouter", "ca", "root", place, *options]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    with edgerouter(tmp_path, ["web"], flags, dynamic(echo)) as router:
        named = f"--edgerouter.internalca.storage={storage.format(directory=tmp_path)}"
        printed = root()
        assert printed == root(named)
        assert root(f"--edgerouter.internalca.storage={tmp_path}/other") == ""
        answer = eventually(
            lambda: ask_https(router.ports["web"], "a.test", roots=printed),
            lambda answer: answer.status == 200,
        )
        assert answer.certificate is not None
    assert root(named) == ("" if storage.startswith("/dev") else printed)


def ends(pair: Pair) -> str:
    return pair.certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_access_log_tells_of_tls(echo: EchoServer, tmp_path: Path) -> None:
    options = {"default": {"clientAuth": {"clientAuthType": "RequestClientCert"}}}
    configuration = dynamic(echo, content(A), options=options)
    with edgerouter(tmp_path, ["web"], FLAGS, configuration) as router:
        context = with_certificate(client_context(), CLIENT)
        with connect(router, "a.test", context) as tls:
            assert b" 200 " in get(tls, "a.test")

        def line() -> Any:
            lines = [text for text in router.log.read_text().splitlines() if '"a.test"' in text]
            return json.loads(lines[0]) if lines else None

        found = eventually(line, bool)
    assert found["TLSVersion"] == "1.3"
    assert found["TLSCipher"].startswith("TLS_")
    assert found["TLSClientSubject"] == "CN=client"
    assert found["RequestScheme"] == "https"


def test_the_example_of_the_documentation(echo: EchoServer, tmp_path: Path) -> None:
    pair = make_pair("shop.example.com")
    files = write(tmp_path / "certs", "shop", pair)
    page = (Path(__file__).parents[2] / "docs" / "tls.md").read_text()
    example = page.split("```yaml\n")[1].split("```")[0]
    for name, real in (
        ("/certs/shop.crt", files["certFile"]),
        ("/certs/shop.key", files["keyFile"]),
        ("http://shop:8080", f"http://127.0.0.1:{next(iter(echo.ports.values()))}"),
    ):
        assert name in example
        example = example.replace(name, real)
    with edgerouter(tmp_path, ["web"], FLAGS, yaml.safe_load(example)) as router:
        with connect(router, "shop.example.com") as tls:
            assert serial(tls) == pair.serial
            assert b" 200 " in get(tls, "shop.example.com")
        old = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            connect(router, "shop.example.com", old)


def test_many_certificates(echo: EchoServer, tmp_path: Path) -> None:
    """Workers make a context only for what is asked for."""
    pairs = [make_pair(f"n{number}.test") for number in range(300)]
    files = [write(tmp_path / "certs", f"n{n}", pair) for n, pair in enumerate(pairs)]
    with edgerouter(tmp_path, ["web"], FLAGS, dynamic(echo, *files)) as router:
        for number in (0, 150, 299):
            with connect(router, f"n{number}.test") as tls:
                assert serial(tls) == pairs[number].serial


KEY_UPDATES = "nothing but key updates"
TINY_RECORDS = "an upload in records of one byte"


@pytest.mark.parametrize("kind", [KEY_UPDATES, TINY_RECORDS])
def test_floods_of_records_delay_nobody(echo: EchoServer, tmp_path: Path, kind: str) -> None:
    """One worker, one client that sends as fast as it can, others that ask."""
    flags = {**FLAGS, "edgerouter.workers": "1"}
    with edgerouter(tmp_path, ["web"], flags, dynamic(echo)) as router:
        taken = asyncio.run(usual_time_of_others(router.ports["web"], kind))
    assert taken < 1.0


async def usual_time_of_others(port: int, kind: str) -> float:
    """Return the median of the seconds that a request beside a flood takes."""
    times = []
    async with TlsClient(port, "a.test") as client:
        flooding = asyncio.create_task(flood(client, kind))
        while not flooding.done():
            begin = time.monotonic()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b" 404 " in await reader.read()
            writer.close()
            times.append(time.monotonic() - begin)
            await asyncio.sleep(0.02)
        await flooding
    return statistics.median(times)


async def flood(client: TlsClient, kind: str) -> None:
    """Send records for two seconds, or until the connection is cut."""
    client.write(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 90000000\r\n\r\n")
    end = time.monotonic() + 2
    with suppress(ConnectionError):
        while time.monotonic() < end:
            for _ in range(1000):
                if kind == KEY_UPDATES:
                    client.update_keys()
                else:
                    client.write(b"x")
            await client.flush()
            await asyncio.sleep(0)
