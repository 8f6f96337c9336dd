"""The whole router against a real Pebble: names of routers get their certificates by themselves."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import ask, eventually
from tests.support.https import SecureAnswer, ask_https
from tests.support.pebble import Pebble
from tests.support.router_process import RouterProcess

ENTRY_POINTS = ["plain", "web", "websecure"]


def router_of(host: str, resolver: str = "letsencrypt", **tls: Any) -> dict[str, Any]:
    return {
        "rule": f"Host(`{host}`)",
        "entryPoints": ["websecure"],
        "service": "noop@internal",
        "tls": {"certResolver": resolver, **tls} if resolver else {},
    }


def dynamic(**routers: Any) -> dict[str, Any]:
    return {"http": {"routers": routers}}


def flags(pebble: Pebble, challenge: str = "httpchallenge") -> dict[str, str]:
    acme = "certificatesresolvers.letsencrypt.acme"
    found = {
        f"{acme}.email": "t@example.com",
        f"{acme}.storage": "{directory}/acme.json",
        f"{acme}.caserver": pebble.url,
        f"{acme}.cacertificates": str(pebble.ca_file),
        f"{acme}.keytype": "EC256",
        "entrypoints.web.http.redirections.entrypoint.to": "websecure",
        "providers.providersthrottleduration": "100ms",
        "edgerouter.internalca.storage": "{directory}/internal-ca",
        "edgerouter.runtimedir": "{directory}/run",
        "edgerouter.workers": "2",
    }
    if challenge == "httpchallenge":
        found[f"{acme}.httpchallenge.entrypoint"] = "web"
    elif challenge == "tlschallenge":
        found[f"{acme}.tlschallenge"] = "true"
    return found


class Site:
    """A router and the Pebble that looks at its ports."""

    def __init__(self, directory: Path, challenge: str = "httpchallenge") -> None:
        self.directory = directory
        self.challenge = challenge
        self.pebble = Pebble(directory / "pebble")
        self.pebble.start()

    def router(
        self, content: Mapping[str, Any], more: Mapping[str, str] | None = None
    ) -> RouterProcess:
        options = flags(self.pebble, self.challenge) | dict(more or {})
        made = edgerouter(self.directory / "router", ENTRY_POINTS, options, content)
        made.ports["web"] = self.pebble.http_port
        made.ports["websecure"] = self.pebble.tls_port
        return made

    def ask(self, host: str, *, roots: str | None = None) -> SecureAnswer:
        trusted = self.pebble.root() if roots is None else roots
        return ask_https(self.pebble.tls_port, host, roots=trusted)

    def valid(self, host: str, within: float = 15) -> SecureAnswer:
        """The answer once it comes with a certificate of Pebble."""
        return eventually(
            lambda: self.ask(host), lambda answer: answer.status == 418, within=within
        )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.pebble.stop()


def test_http_01_beside_a_redirection_and_again_after_a_restart(site: Site) -> None:
    content = dynamic(a=router_of("a.example.com"))
    with site.router(content) as router:
        first = site.valid("a.example.com")
        redirected = ask(router.ports["web"], "/x", host="a.example.com")
        assert redirected.status == 301
        assert redirected.headers["location"].startswith("https://a.example.com")
        (plan,) = router.get("/api/edgerouter/certificates")
        assert (plan["state"], plan["names"], plan["routers"]) == (
            "valid",
            ["a.example.com"],
            ["a@file"],
        )
        (item,) = router.get("/api/certificates")
        assert item["sans"] == ["a.example.com"]
        assert item["edgerouter"]["origin"] == "resolver letsencrypt"

        router.apply(dynamic(a=router_of("a.example.com"), b=router_of("b.example.com")))
        site.valid("b.example.com")
        assert site.ask("a.example.com").serial == first.serial

    with site.router(content):
        assert site.ask("a.example.com").serial == first.serial


def test_a_router_that_is_killed_goes_on_with_its_order(site: Site) -> None:
    content = dynamic(a=router_of("a.example.com"))
    delayed = {"certificatesresolvers.letsencrypt.acme.httpchallenge.delay": "5s"}
    with site.router(content, delayed) as router:
        certificates = router.log.parent / "acme.json.d/letsencrypt/certificates"
        eventually((certificates / "a.example.com/order.json").exists, bool)
        router.kill()
    with site.router(content):
        site.valid("a.example.com")
    assert site.pebble.count("Added order") == 1


def test_tls_alpn_01_on_the_port_of_the_site(tmp_path: Path) -> None:
    site = Site(tmp_path, "tlschallenge")
    try:
        with site.router(dynamic(a=router_of("a.example.com"))):
            site.valid("a.example.com")
    finally:
        site.pebble.stop()


def test_names_that_no_public_ca_certifies_have_the_internal_one(site: Site) -> None:
    content = dynamic(
        none=router_of("intern.example.com", resolver=""), local=router_of("x.localhost")
    )
    with site.router(content) as router:
        directory = router.log.parent
        command = [sys.executable, "-m", "edgerouter", "ca", "root"]
        option = f"--edgerouter.runtimedir={directory}/run"

        def root() -> str:
            return subprocess.run(
                [*command, option], capture_output=True, text=True, check=True
            ).stdout

        for host in ("intern.example.com", "x.localhost"):
            eventually(
                lambda host=host: site.ask(host, roots=root()),  # type: ignore[misc]
                lambda answer: answer.status == 418,
            )
        assert router.get("/api/edgerouter/certificates") == []


def run_cert(router: RouterProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    option = f"--edgerouter.runtimedir={router.log.parent}/run"
    return subprocess.run(
        [sys.executable, "-m", "edgerouter", "cert", *arguments, option],
        capture_output=True,
        text=True,
        check=False,
    )


def test_certificates_on_the_command_line(site: Site) -> None:
    with site.router(dynamic(a=router_of("a.example.com"))) as router:
        first = site.valid("a.example.com")
        listed = run_cert(router, "ls")
        assert (listed.returncode, listed.stderr) == (0, "")
        assert "a.example.com" in listed.stdout
        assert "valid" in listed.stdout

        shown = run_cert(router, "show", "a.example.com")
        assert first.serial in shown.stdout
        assert "a@file" in shown.stdout

        renewed = run_cert(router, "renew", "a.example.com")
        assert renewed.returncode == 0, renewed.stderr
        eventually(lambda: site.ask("a.example.com").serial, lambda serial: serial != first.serial)

        second = site.ask("a.example.com")
        assert site.pebble.status(second.serial) == "Valid"
        revoked = run_cert(router, "revoke", "a.example.com", "--reason=superseded")
        assert revoked.returncode == 0, revoked.stderr
        assert site.pebble.status(second.serial) == "Revoked"
        eventually(lambda: site.ask("a.example.com").serial, lambda serial: serial != second.serial)

        third = site.ask("a.example.com")
        router.apply(dynamic())
        revoked = run_cert(router, "revoke", "a.example.com")
        assert f"the certificate {third.serial} is revoked" in revoked.stdout, revoked.stderr
        assert site.pebble.status(third.serial) == "Revoked"
        eventually(lambda: site.ask("a.example.com").status, lambda status: status != 418)

        unknown = run_cert(router, "renew", "b.example.com")
        assert unknown.returncode == 1
        assert "no resolver is to certify b.example.com" in unknown.stderr


def test_a_wildcard_needs_dns(site: Site, tmp_path: Path) -> None:
    routers = {
        "wild": router_of("*.wild.example.com"),
        "both": router_of(
            "both.example.com",
            domains=[{"main": "both.example.com", "sans": ["*.both.example.com"]}],
        ),
        "good": router_of("good.example.com"),
    }
    with site.router(dynamic(**routers)) as router:
        site.valid("good.example.com")
        for name in ("wild", "both"):
            shown = router.get(f"/api/http/routers/{name}@file")
            assert shown["status"] == "warning"
            (reason,) = shown["error"]
            assert reason.startswith(f"*.{name}.example.com cannot be certified by http-01, which")
            assert reason.endswith("wildcards need a resolver with dnsChallenge")
        plans = {
            plan["routers"][0]: (plan["state"], plan.get("reason", ""))
            for plan in router.get("/api/edgerouter/certificates")
        }
        assert plans["good@file"] == ("valid", "")
        assert plans["wild@file"][0] == "failing"
        assert "wildcards need a resolver with dnsChallenge" in plans["wild@file"][1]
        answer = site.ask("a.wild.example.com", roots="")
        assert answer.status == 418, "the default certificate is served meanwhile"
    assert (tmp_path / "pebble/pebble.log").read_text().count("Added order") == 1


def test_what_fails_is_visible(tmp_path: Path) -> None:
    site = Site(tmp_path)
    try:
        with edgerouter(
            tmp_path / "router",
            ENTRY_POINTS,
            flags(site.pebble) | {"certificatesresolvers.bad.acme.email": "t@example.com"},
            dynamic(a=router_of("a.example.com"), b=router_of("b.example.com", "bad")),
        ) as router:
            # Pebble looks at other ports than the router's.
            def states() -> dict[str, str]:
                plans = router.get("/api/edgerouter/certificates")
                return {plan["resolver"]: plan["state"] + plan.get("reason", "") for plan in plans}

            found = eventually(states, lambda found: "failing" in found.get("letsencrypt", ""))
            assert "a.example.com: the CA refuses" in found["letsencrypt"]
            assert "needs exactly one of httpChallenge" in found["bad"]
            answer = ask_https(router.ports["websecure"], "a.example.com")
            assert answer.status == 418, "the default certificate is served meanwhile"
    finally:
        site.pebble.stop()


def test_a_storage_that_hangs_holds_up_nothing_else(tmp_path: Path) -> None:
    certificate = tmp_path / "router/acme.json.d/letsencrypt/certificates/a.example.com"
    certificate.mkdir(parents=True)
    pipe = certificate / "meta.json"
    os.mkfifo(pipe)  # Who reads it waits for somebody who writes.
    acme = "certificatesresolvers.letsencrypt.acme"
    options = {
        f"{acme}.storage": "{directory}/acme.json",
        f"{acme}.caserver": "https://127.0.0.1:9/nobody",
        f"{acme}.tlschallenge": "true",
    }
    content = dynamic(a=router_of("a.example.com"))
    with edgerouter(tmp_path / "router", ENTRY_POINTS, options, content) as router:
        assert router.get("/api/edgerouter/certificates") == [], "nothing is known of it yet"
        answer = ask_https(router.ports["websecure"], "a.example.com")
        assert answer.status == 418
        with pipe.open("w"):
            pass
        (plan,) = eventually(lambda: router.get("/api/edgerouter/certificates"), bool)
        assert plan["names"] == ["a.example.com"]


def test_a_certificate_at_the_first_handshake(site: Site) -> None:
    content = dynamic(
        all={**router_of("x", ""), "rule": "HostRegexp(`^[a-z]+[.]example[.]com$`)"},
    )
    on_demand = {
        "edgerouter.ondemand.resolver": "letsencrypt",
        "edgerouter.ondemand.hosts": "*.example.com",
    }
    with site.router(content, on_demand):
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(site.ask, ["new.example.com"] * 8))
        assert [answer.status for answer in answers] == [418] * 8, answers
        assert len({answer.serial for answer in answers}) == 1, "one order for all of them"
        refused = ask_https(site.pebble.tls_port, "new.example.org")
        assert refused.certificate is not None
        assert "Pebble" not in refused.certificate.issuer.rfc4514_string()
