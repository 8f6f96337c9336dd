"""``edgerouter cert``: the certificates of the running router, seen and ordered anew."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from edgerouter.cli.orders import Unanswered, ask, find_socket

NAME = "cert"
SUMMARY = "Shows, renews and revokes certificates of the running router."
USAGE = (
    "edgerouter cert ls | show NAME | renew NAME | revoke NAME [--reason=REASON]"
    " [--edgerouter.runtimeDir=DIRECTORY]"
)

TIMEOUT = 300.0
"""Seconds for an order."""


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
        path = find_socket(options, environ)
        if words[0] == "ls":
            _list(ask(path, {"command": "ls"}, TIMEOUT))
            return 0
        if words[0] == "show":
            return _show(ask(path, {"command": "ls"}, TIMEOUT), words[1])
        request = {"command": words[0], "name": words[1]}
        if reasons:
            request["reason"] = reasons[-1]
        answer = ask(path, request, TIMEOUT)
    except Unanswered as error:
        return _fail(str(error))
    for serial in answer.get("revoked", ()):
        sys.stdout.write(f"{words[1]}: the certificate {serial} is revoked\n")
    return _outcome(answer["plans"])


def _list(answer: Mapping[str, Any]) -> None:
    rows, reasons = [], []
    planned = {plan.get("serial") for plan in answer["plans"]}
    for plan in answer["plans"]:
        names = ",".join(plan["names"]) or "-"
        times = plan.get("notAfter", "-"), plan.get("renewal", "-")
        rows.append((names, plan["state"], plan["resolver"], *times))
        if plan.get("reason"):
            reasons.append(f"{','.join(plan['names']) or plan['resolver']}: {_reason(plan)}")
    for item in answer["served"]:
        if f"{int(item['serialNumber']):x}" not in planned:
            names = ",".join(item["sans"]) or item["commonName"] or "-"
            own = item["edgerouter"]
            state, renewal = own.get("state", item["status"]), own.get("renewal", "-")
            rows.append((names, state, own["origin"], item["notAfter"], renewal))
            if own.get("reason"):
                reasons.append(f"{names}: {_reason(own)}")
    table = [("NAMES", "STATE", "FROM", "ENDS", "RENEWAL"), *sorted(rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    for reason in sorted(reasons):
        sys.stdout.write(f"{reason}\n")


def _reason(plan: Mapping[str, Any]) -> str:
    following = f"next try {plan['nextLook']}, " if "nextLook" in plan else ""
    return f"{plan['state']} ({following}reason: {plan['reason']})"


def _show(answer: Mapping[str, Any], wanted: str) -> int:
    from edgerouter.tls.names import ascii_name  # noqa: PLC0415 - see orders.py.

    name = ascii_name(wanted.lower())
    # A certificate of its own, or else one for any label in its place.
    for known in (name, "*." + name.partition(".")[2]):
        plans = [plan for plan in answer["plans"] if known in plan["names"]]
        items = [item for item in answer["served"] if known in _names(item)]
        if plans or items:
            sys.stdout.write(json.dumps({"plans": plans, "served": items}, indent=2) + "\n")
            return 0
    return _fail(f"there is no certificate for {wanted} and none is wanted")


def _names(item: Mapping[str, Any]) -> list[str]:
    return [name.lower() for name in item["sans"] or [item["commonName"]]]


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
