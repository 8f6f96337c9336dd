"""The dashboard in a real browser: what people see, whatever names and rules say."""

import html
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.support.needed import needed
from tests.support.router_process import RouterProcess

HOSTILE = "<img src=x onerror=document.title='broken'>"
DYNAMIC = {
    "http": {
        "routers": {
            "shop": {
                "rule": "Host(`shop.example.com`)",
                "service": "shop",
                "middlewares": ["strip"],
            },
            "odd": {"rule": f"Host(`a`) && Path(`/{HOSTILE}`)", "service": "shop"},
            "secure": {"rule": "Host(`secure.example.com`)", "service": "shop", "tls": {}},
            "lost": {"rule": "Host(`b.example.com`)", "service": HOSTILE},
        },
        "middlewares": {"strip": {"stripPrefix": {"prefixes": ["/v1"]}}},
        "services": {"shop": {"loadBalancer": {"servers": [{"url": "http://127.0.0.1:9"}]}}},
    }
}
FLAGS = {
    "certificatesresolvers.bad.acme.email": "me@example.com",
    "certificatesresolvers.bad.acme.storage": "{directory}/acme.json",
    "edgerouter.internalca.storage": "{directory}/internal-ca",
}
Show = Callable[[str], str]


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Show]:
    browser = needed("chromium")
    command = [sys.executable, "-m", "edgerouter"]
    directory = tmp_path_factory.mktemp("dashboard")
    with RouterProcess(command, directory, ["web"], FLAGS, DYNAMIC) as router:
        address = f"http://127.0.0.1:{router.ports['traefik']}/dashboard/"

        def show(view: str) -> str:
            """Return the page as it stands after its scripts have run."""
            arguments = [
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--virtual-time-budget=4000",
            ]
            profile = f"--user-data-dir={directory / 'profile'}"
            page = subprocess.run(
                [browser, *arguments, profile, "--dump-dom", f"{address}#{view}"],
                check=True,
                capture_output=True,
                text=True,
                timeout=50,
            ).stdout
            assert "[object" not in page
            return page

        yield show


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", page))


def test_the_overview_counts_and_explains(show: Show) -> None:
    text = text_of(show("overview"))
    assert "1 disabled" in text
    assert "Worker 0" in text
    assert f'the service "{HOSTILE}@file" does not exist' in text
    assert "http.routers.lost" in text


def test_routers_are_shown_as_text(show: Show) -> None:
    page = show("routers")
    assert "<img" not in page
    assert "<title>broken" not in page
    text = text_of(page)
    assert f"Host(`a`) && Path(`/{HOSTILE}`)" in text
    assert "strip@file" in text


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ("services", "http://127.0.0.1:9"),
        ("middlewares", '{"prefixes":["/v1"]}'),
        ("certificates", "secure.example.com"),
        ("certificates", "needs exactly one of httpChallenge"),
        ("problems", "http.routers.lost"),
    ],
)
def test_views(show: Show, view: str, expected: str) -> None:
    assert expected in text_of(show(view))
