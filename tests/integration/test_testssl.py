"""testssl.sh finds nothing weak in what is spoken by default, and gives the best grade."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.edgerouter_process import edgerouter
from tests.support.needed import ROOT, unpacked
from tests.support.tls import make_pair

CHECKS = ("-p", "-s", "-f", "-S", "-h", "-U")
"""Protocols, suites, forward secrecy, server, header, vulnerabilities: what a grade needs."""

OF_THE_TEST = (
    *("cert_", "intermediate_cert_", "engine_problem", "security_headers"),
    # The scanner may hang up before the ticket comes, and then has none to come back with;
    # resumption has tests of its own.
    "sessionresumption_ticket",
)
"""Findings about the certificate and the scanner, which are the test's own."""


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_nothing_weak_by_default(tmp_path: Path) -> None:
    program = unpacked("trixie", "testssl.sh", "testssl")
    authority = make_pair("authority", ca=True)
    pair = make_pair("edge.test", issuer=authority)
    (tmp_path / "authority.pem").write_text(authority.pem)
    router = {"rule": "PathPrefix(`/`)", "service": "ping@internal", "middlewares": ["sts"]}
    configuration = {
        "http": {
            "routers": {"r": {**router, "tls": {}}},
            "middlewares": {"sts": {"headers": {"stsSeconds": 63072000}}},
        },
        "tls": {"certificates": [{"certFile": pair.pem, "keyFile": pair.key_pem}]},
    }
    report = tmp_path / "report.json"
    flags = {"ping.manualrouting": "true"}
    with edgerouter(tmp_path / "router", ["web"], flags, configuration) as process:
        options = ["--quiet", "--color=0", "--warnings=off", "--openssl-timeout=10", "--sneaky"]
        options += ["--nodns=none", "--ip=127.0.0.1", f"--add-ca={tmp_path}/authority.pem"]
        target = f"edge.test:{process.ports['web']}"
        done = subprocess.run(
            [program, *options, f"--jsonfile={report}", *CHECKS, target],
            check=False,
            capture_output=True,
            text=True,
            timeout=400,
            env={**os.environ, "TESTSSL_INSTALL_DIR": str(ROOT / ".tools/trixie/etc/testssl")},
        )
    # It ends with the number of what it stumbled over (on a busy machine); from 50 on it gave up.
    assert done.returncode < 50, done.stdout + done.stderr
    findings = {each["id"]: each for each in json.loads(report.read_text())}
    assert findings["TLS1_3"]["severity"] == "OK"
    assert findings["heartbleed"]["severity"] == "OK"
    assert findings["overall_grade"]["finding"] == "A+"
    bad = [each for each in findings.values() if each["severity"] not in ("OK", "INFO")]
    assert [each for each in bad if not each["id"].startswith(OF_THE_TEST)] == [], done.stdout
