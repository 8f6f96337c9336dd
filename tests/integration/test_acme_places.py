"""What a container has mounted for its certificates, and what of them outlives it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_acme_end_to_end import ENTRY_POINTS, Site, dynamic, flags, router_of
from tests.support.eventually import eventually
from tests.support.https import ask_https
from tests.support.needed import missing
from tests.support.router_process import RouterProcess
from tests.support.traefik import traefik

ACME = "certificatesresolvers.letsencrypt.acme"

AS_IN_A_CONTAINER = """
mount --make-rprivate / && mount -t tmpfs none /run && touch /run/.containerenv || exit 90
if [ -n "$1" ]; then
  mount --bind "$1" "$2" && mount -o remount,bind,$3 "$2" || exit 90
fi
shift 3
exec "$@"
"""
"""Marks the root as a container's and mounts one path over another."""


@pytest.fixture(scope="module", autouse=True)
def _namespaces() -> None:
    trial = ["unshare", "-m", "sh", "-c", AS_IN_A_CONTAINER, "sh", "", "", "", "true"]
    if subprocess.run(trial, capture_output=True, check=False).returncode:
        missing("mount namespaces; they need root")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.pebble.stop()


def container(
    site: Site,
    source: Path | None,
    target: str = "",
    mode: str = "rw",
    storage: str = "acme.json",
) -> RouterProcess:
    """Return a router for one name that sees ``source`` at ``target``, below its directory."""
    directory = site.directory / "router"
    directory.mkdir(exist_ok=True)
    if source is not None and source.is_file():
        (directory / target).touch()
    command = ["unshare", "-m", "sh", "-c", AS_IN_A_CONTAINER, "sh"]
    mount = [str(source or ""), str(directory / target), mode]
    own = {f"{ACME}.storage": f"{{directory}}/{storage}", "log.level": "INFO"}
    made = RouterProcess(
        [*command, *mount, sys.executable, "-m", "edgerouter"],
        directory,
        ENTRY_POINTS,
        flags(site.pebble) | own,
        dynamic(a=router_of("a.example.com")),
    )
    made.ports |= {"web": site.pebble.http_port, "websecure": site.pebble.tls_port}
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """What ``touch acme.json; chmod 600 acme.json`` leaves on the host."""
    path = tmp_path / "host.json"
    path.touch(0o600)
    return path


def orders(site: Site) -> int:
    return (site.directory / "pebble/pebble.log").read_text().count("Added order")


def storage_problems(router: RouterProcess) -> list[str]:
    found = router.get("/api/edgerouter/diagnostics")
    return [each["message"] for each in found if each["key"].endswith("acme.storage")]


def test_a_file_that_is_mounted_alone_keeps_everything(site: Site, file: Path) -> None:
    """Traefik's usual ``./acme.json:/acme.json``: nothing else outlives the container."""
    with container(site, file, "acme.json") as router:
        first = site.valid("a.example.com")
        assert storage_problems(router) == []
        eventually(lambda: "a.example.com" in file.read_text(), bool)
    assert (site.directory / "router/acme.json").read_text() == ""
    shutil.rmtree(site.directory / "router/acme.json.d")
    with container(site, file, "acme.json") as router:
        again = site.valid("a.example.com")
        (plan,) = router.get("/api/edgerouter/certificates")
        assert plan["state"] == "valid"
    assert again.serial == first.serial
    assert orders(site) == 1


def test_the_way_back_to_traefik(site: Site, file: Path) -> None:
    with container(site, file, "acme.json"):
        first = site.valid("a.example.com")
    options = {
        name: value.replace("{directory}/acme.json", str(file))
        for name, value in flags(site.pebble).items()
        if not name.startswith("edgerouter")
    }
    content = dynamic(a=router_of("a.example.com"))
    with traefik(site.directory / "traefik", ENTRY_POINTS, options, content) as router:
        port, roots = router.ports["websecure"], site.pebble.root()
        served = eventually(
            lambda: ask_https(port, "a.example.com", roots=roots),
            lambda answer: answer.status == 418,
        )
    assert served.serial == first.serial
    assert orders(site) == 1


def test_a_file_that_cannot_be_written_is_reported(site: Site, file: Path) -> None:
    with container(site, file, "acme.json", "ro") as router:
        site.valid("a.example.com")
        (problem,) = eventually(lambda: storage_problems(router), bool)
        assert "acme.json cannot be read or written (Read-only file system)" in problem
        assert eventually(lambda: router.log.read_text().count(problem), bool) == 1


def test_what_is_lost_with_the_container_is_reported(site: Site) -> None:
    with container(site, None) as router:
        site.valid("a.example.com")
        (problem,) = storage_problems(router)
        assert "lies in the container only" in problem
        assert f"mount a volume, for example letsencrypt:{site.directory}/router" in problem
        assert eventually(lambda: problem in router.log.read_text(), bool)


def test_a_volume_keeps_everything(site: Site, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    (volume / "le").mkdir(parents=True)
    (site.directory / "router/le").mkdir(parents=True)
    for _ in range(2):
        with container(site, volume / "le", "le", storage="le/acme.json") as router:
            site.valid("a.example.com")
            assert storage_problems(router) == []
    assert orders(site) == 1
    assert (volume / "le/acme.json.d").is_dir()
