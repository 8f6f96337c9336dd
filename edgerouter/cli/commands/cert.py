"""``edgerouter cert``: the certificates of the running router, seen and ordered anew."""

import json
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NAME = "cert"
SUMMARY = "Shows, renews and revokes certificates of the running router."
USAGE = (
    "edgerouter cert ls | show NAME | renew NAME | revoke NAME [--reason=REASON]"
    " [--edgerouter.runtimeDir=DIRECTORY]"
)

TIMEOUT = 300.0
"""Seconds for an order."""


class _Unanswered(Exception):
    """The router does not answer, or answers with an error; the message says which."""


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Carry out one of the commands; 1 with the reason when the router refuses."""
    words = [word for word in argv if not word.startswith("-")]
    reasons = [word.partition("=")[2] for word in argv if word.startswith("--reason=")]
    options = [word for word in argv if word.startswith("-") and not word.startswith("--reason=")]
    arity = {"ls": 1, "show": 2, "renew": 2, "revoke": 2}
    if not words or arity.get(words[0]) != len(words):
        sys.stderr.write(f"edgerouter cert: usage: {USAGE}\n")
        return 2
    try:
        path = _socket(options, environ)
        if words[0] == "ls":
            _list(_ask(path, {"command": "ls"}))
            return 0
        if words[0] == "show":
            return _show(_ask(path, {"command": "ls"}), words[1])
        request = {"command": words[0], "name": words[1]}
        if reasons:
            request["reason"] = reasons[-1]
        answer = _ask(path, request)
    except _Unanswered as error:
        return _fail(str(error))
    return _outcome(answer["plans"])


def _socket(options: Sequence[str], environ: Mapping[str, str]) -> Path:
    """Return the socket of the running router: of the option, else the only one there is."""
    from edgerouter.config.loader import (  # noqa: PLC0415 - loads every model.
        StaticConfigurationError,
        load_static,
    )
    from edgerouter.control.certificates.commands import SOCKET  # noqa: PLC0415 - see above.

    try:
        wanted = load_static(options, environ).configuration.edgerouter.runtime_dir
    except StaticConfigurationError as error:
        raise _Unanswered(f"wrong configuration: {error}") from error
    if wanted:
        return Path(wanted) / SOCKET
    parents = {Path(tempfile.gettempdir()), Path("/dev/shm")}  # noqa: S108 - the router's places.
    found = sorted(path for parent in parents for path in parent.glob(f"edgerouter-*/{SOCKET}"))
    if len(found) == 1:
        return found[0]
    what = "no running router was found" if not found else "several routers run"
    raise _Unanswered(f"{what}; set --edgerouter.runtimeDir as the router has it")


def _ask(path: Path, request: Mapping[str, str]) -> dict[str, Any]:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with connection:
            connection.settimeout(TIMEOUT)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                answer: dict[str, Any] = json.loads(stream.readline())
    except (OSError, ValueError) as error:
        raise _Unanswered(f"the router does not answer at {path}: {error}") from error
    if "error" in answer:
        raise _Unanswered(answer["error"])
    return answer


def _list(answer: Mapping[str, Any]) -> None:
    rows = [("NAMES", "STATE", "FROM", "ENDS", "RENEWAL")]
    planned = {plan.get("serial") for plan in answer["plans"]}
    for plan in answer["plans"]:
        names = ",".join(plan["names"]) or "-"
        times = plan.get("notAfter", "-"), plan.get("renewal", "-")
        rows.append((names, plan["state"], plan["resolver"], *times))
    for item in answer["served"]:
        if f"{int(item['serialNumber']):x}" not in planned:
            names = ",".join(item.get("sans", ())) or item.get("commonName", "-")
            origin = item["edgerouter"]["origin"]
            rows.append((names, item["status"], origin, item["notAfter"], "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    for plan in answer["plans"]:
        if plan.get("reason"):
            sys.stdout.write(f"{','.join(plan['names']) or plan['resolver']}: {_reason(plan)}\n")


def _reason(plan: Mapping[str, Any]) -> str:
    following = f"next try {plan['nextLook']}, " if "nextLook" in plan else ""
    return f"{plan['state']} ({following}reason: {plan['reason']})"


def _show(answer: Mapping[str, Any], name: str) -> int:
    plans = [plan for plan in answer["plans"] if name in plan["names"]]
    items = [item for item in answer["served"] if name in item.get("sans", ())]
    if not plans and not items:
        return _fail(f"there is no certificate for {name} and none is wanted")
    sys.stdout.write(json.dumps({"plans": plans, "served": items}, indent=2) + "\n")
    return 0


def _outcome(plans: Sequence[Mapping[str, Any]]) -> int:
    status = 0
    for plan in plans:
        if plan.get("reason"):
            status = _fail(f"{','.join(plan['names'])}: {_reason(plan)}")
        else:
            names, end = ",".join(plan["names"]), plan.get("notAfter", "-")
            sys.stdout.write(f"{names}: {plan['state']}, ends {end}\n")
    return status


def _fail(reason: str) -> int:
    sys.stderr.write(f"edgerouter cert: {reason}\n")
    return 1
