"""Answers as they are on the wire, for ``edgerouter.compat=traefik``: nothing is forgiven."""

from typing import Any

from tests.oracle.case import Case, Normaliser, Outcome, exposed
from tests.support.echo_server import EchoServer
from tests.support.raw_http import Answer
from tests.support.router_process import RouterProcess


class ExactNormaliser(Normaliser):
    """Keeps words, versions, names as they are spelt, their order, and all fields but ``Date``.

    ``Connection`` counts as the last: Go has it there or where its name puts it, by its reason.
    """

    def outcome(self, answers: list[Answer], sent: bytes = b"") -> Outcome:
        return [
            {**self._answer(answer), "version": answer.version, "reason": answer.reason}
            for answer in answers
        ]

    def _headers(
        self, headers: list[tuple[str, str]], drop: tuple[str, ...] = ()
    ) -> list[list[str]]:
        pairs = [[name, self._text(value)] for name, value in headers if name != "Date"]
        for pair in pairs:
            if pair[0] == "X-Retry-In":  # As long as the two programs took.
                pair[1] = "<duration>"
            if pair[0] == "Access-Control-Expose-Headers":
                pair[1] = exposed(pair[1])
        return sorted(pairs, key=lambda pair: pair[0] == "Connection")


def ask_exactly(process: RouterProcess, echo: EchoServer, case: Case) -> list[dict[str, Any]]:
    """Return what ``process`` answers to ``case``, and how often servers were asked for it."""
    asked = echo.asked
    answers = case.run(process.ports[case.entrypoint])
    outcome = ExactNormaliser(echo.ports, process.ports).outcome(answers)
    if case.is_counted:
        outcome[0]["asked"] = echo.asked - asked
    for fact in outcome:
        if fact["status"] == 101:  # Traefik has the server's words there, and only there.
            del fact["reason"]
        if "upstream" in fact:  # Ports in the dump of what was received may be shorter or longer.
            fact["headers"] = [pair for pair in fact["headers"] if pair[0] != "Content-Length"]
    return outcome
