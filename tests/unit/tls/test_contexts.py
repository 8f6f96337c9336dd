"""Contexts of OpenSSL: made once, and not too many of them."""

import pytest

from edgerouter.tls import contexts
from edgerouter.tls.contexts import Contexts, ServedCertificate
from edgerouter.tls.options import TlsOptions
from tests.support.tls import make_pair


def test_a_context_is_made_once_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts, "MAX_CONTEXTS", 2)
    made, options = Contexts(), TlsOptions({})
    served = []
    for name in ("a.test", "b.test", "c.test"):
        pair = make_pair(name)
        served.append(ServedCertificate({"certificate": pair.pem, "key": pair.key_pem}))
    first, second = made.get(options, served[0]), made.get(options, served[1])
    assert made.get(options, served[0]) is first
    assert made.get(options, served[2]) is not None
    assert made.get(options, served[1]) is second
    assert made.get(options, served[0]) is not first
