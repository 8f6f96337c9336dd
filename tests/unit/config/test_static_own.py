"""``edgerouter``: our own options."""

import pytest

from edgerouter.config.decode import decode
from edgerouter.config.static import StaticConfiguration


def test_proxies_that_are_trusted() -> None:
    raw = {"edgerouter": {"realIp": {"trusted": "cloudflare,10.0.0.0/8,/etc/ranges"}}}
    decoded = decode(StaticConfiguration, raw)
    assert decoded.problems == []
    assert decoded.value.edgerouter.real_ip.trusted == ["cloudflare", "10.0.0.0/8", "/etc/ranges"]


@pytest.mark.parametrize("entry", ["cloudfare", "10.0.0.0/99", "ranges.txt"])
def test_what_is_no_proxy(entry: str) -> None:
    decoded = decode(StaticConfiguration, {"edgerouter": {"realIp": {"trusted": entry}}})
    assert [problem.path for problem in decoded.problems] == ["edgerouter.realIp.trusted"]
    assert entry in decoded.problems[0].message
