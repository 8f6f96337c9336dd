"""What routers and services can be told stands in the documentation, option by option."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from edgerouter.config.dynamic import http

DOCS = Path(__file__).resolve().parents[3] / "docs"
RULES = (DOCS / "rules.md").read_text()
SERVICES = "\n".join(page.read_text() for page in sorted((DOCS / "services").glob("*.md")))
UNSERVED = {"spiffe"}


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (http.Router, RULES),
        (http.RouterTLS, RULES),
        (http.RouterObservability, RULES),
        (http.ServersLoadBalancer, SERVICES),
        (http.Server, SERVICES),
        (http.ServerHealthCheck, SERVICES),
        (http.PassiveServerHealthCheck, SERVICES),
        (http.Cookie, SERVICES),
        (http.ServersTransport, SERVICES),
    ],
)
def test_every_option_is_documented(model: type[BaseModel], text: str) -> None:
    names = {field.alias or name for name, field in model.model_fields.items()} - UNSERVED
    assert {name for name in names if name.lower() not in text.lower()} == set()
