"""testssl.sh finds nothing weak in what is spoken by default."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.edgerouter_process import edgerouter
from tests.support.tls import make_pair

TESTSSL = shutil.which("testssl") or shutil.which("testssl.sh")


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.skipif(TESTSSL is None, reason="testssl.sh is not installed")
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
        assert TESTSSL is not None
        options = ["--quiet", "--color", "0", "--warnings", "off", "--openssl-timeout", "10"]
        target = f"127.0.0.1:{router.ports['web']}"
        subprocess.run(
            [TESTSSL, *options, "--jsonfile", report, "-p", "-s", "-U", "--sneaky", target],
            check=True,
            capture_output=True,
            timeout=200,
        )
    findings = {each["id"]: each for each in json.loads(report.read_text())}
    assert findings["TLS1_3"]["severity"] == "OK"
    assert findings["heartbleed"]["severity"] == "OK"
    bad = [each for each in findings.values() if each["severity"] not in ("OK", "INFO")]
    assert not bad
