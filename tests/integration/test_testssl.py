"""testssl.sh finds nothing weak in what is spoken by default."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.edgerouter_process import edgerouter
from tests.support.needed import needed
from tests.support.tls import make_pair


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_nothing_weak_by_default(tmp_path: Path) -> None:
    """Protocols, suites and known vulnerabilities; the certificate is a test's own."""
    pair = make_pair("127.0.0.1")
    configuration = {
        "http": {
            "routers": {"r": {"rule": "PathPrefix(`/`)", "service": "s", "tls": {}}},
            "services": {"s": {"loadBalancer": {"servers": [{"url": "http://127.0.0.1:9"}]}}},
        },
        "tls": {"certificates": [{"certFile": pair.pem, "keyFile": pair.key_pem}]},
    }
    report = tmp_path / "report.json"
    with edgerouter(tmp_path / "router", ["web"], {}, configuration) as router:
        options = ["--quiet", "--color", "0", "--warnings", "off", "--openssl-timeout", "10"]
        target = f"127.0.0.1:{router.ports['web']}"
        subprocess.run(
            [
                needed("testssl", "testssl.sh"),
                *options,
                "--jsonfile",
                report,
                "-p",
                "-s",
                "-U",
                "--sneaky",
                target,
            ],
            check=True,
            capture_output=True,
            timeout=200,
        )
    findings = {each["id"]: each for each in json.loads(report.read_text())}
    findings.pop("engine_problem", None)  # About the scanner: its OpenSSL knows no GOST.
    assert findings["TLS1_3"]["severity"] == "OK"
    assert findings["heartbleed"]["severity"] == "OK"
    bad = [each for each in findings.values() if each["severity"] not in ("OK", "INFO")]
    assert not bad
