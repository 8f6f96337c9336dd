import signal
from typing import Any

import pytest

from edgerouter_docker.events import Event, event_of, signal_number


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (
            {
                "Type": "container",
                "Action": "kill",
                "Actor": {"ID": "abc", "Attributes": {"signal": "15"}},
            },
            Event("kill", "abc", 15),
        ),
        (
            {"Type": "container", "Action": "health_status: healthy", "Actor": {"ID": "abc"}},
            Event("health_status", "abc"),
        ),
        (
            {
                "Type": "network",
                "Action": "connect",
                "Actor": {"ID": "net", "Attributes": {"container": "abc"}},
            },
            Event("connect", "abc", network_id="net"),
        ),
        ({"Type": "network", "Action": "connect", "Actor": {"ID": "net"}}, None),
        ({"status": "die", "id": "abc"}, Event("die", "abc")),
        ({"Type": "container", "Actor": {"ID": "abc"}}, None),
        ({}, None),
    ],
)
def test_events(data: dict[str, Any], event: Event | None) -> None:
    assert event_of(data) == event


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("15", 15),
        ("TERM", 15),
        ("sigterm", 15),
        ("SIGRTMIN+3", signal.SIGRTMIN + 3),
        ("RTMAX-1", signal.SIGRTMAX - 1),
        ("", 0),
        ("SIGNONSENSE", 0),
        ("RTMIN+x", 0),
    ],
)
def test_signals(name: str, number: int) -> None:
    assert signal_number(name) == number
