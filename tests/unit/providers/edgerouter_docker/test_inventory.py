import pytest

from edgerouter_docker.inventory import (
    Attachment,
    Binding,
    Container,
    Summary,
    container_of,
    says_the_same,
    summary_of,
)

ID = "a" * 64


def test_inspection() -> None:
    container = container_of(
        {
            "Id": ID,
            "Name": "/shop-api-1",
            "Created": "2026-01-02T03:04:05Z",
            "State": {
                "Status": "running",
                "StartedAt": "2026-01-02T03:04:06Z",
                "Health": {"Status": "starting"},
            },
            "HostConfig": {"NetworkMode": "shop_default"},
            "Config": {
                "Labels": {"traefik.enable": "true"},
                "ExposedPorts": {"80/tcp": {}},
                "StopSignal": "SIGQUIT",
                "StopTimeout": 3,
            },
            "NetworkSettings": {
                "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "9/udp": None},
                "Networks": {
                    "b": {"NetworkID": "nb", "IPAddress": "", "GlobalIPv6Address": "fd00::2"},
                    "a": {"NetworkID": "na", "IPAddress": "10.0.0.2", "GlobalIPv6Address": "x"},
                },
            },
        }
    )
    assert container == Container(
        id=ID,
        name="shop-api-1",
        status="running",
        health="starting",
        labels={"traefik.enable": "true"},
        networks={"a": Attachment("na", "10.0.0.2", "x"), "b": Attachment("nb", "", "fd00::2")},
        network_mode="shop_default",
        published={"80/tcp": (Binding("0.0.0.0", "8080"),), "9/udp": ()},
        exposed=frozenset({"80/tcp"}),
        stop_signal="SIGQUIT",
        stop_timeout=3,
        started_at="2026-01-02T03:04:06Z",
        created_at="2026-01-02T03:04:05Z",
    )
    assert [attachment.address for attachment in container.networks.values()] == [
        "10.0.0.2",
        "fd00::2",
    ]


def test_inspection_with_nulls_everywhere() -> None:
    container = container_of(
        {
            "Id": ID,
            "Name": "/x",
            "State": {"Running": True, "Health": None},
            "Config": {"Labels": None, "ExposedPorts": None, "StopTimeout": None},
            "HostConfig": None,
            "NetworkSettings": {"Ports": None, "Networks": {"none": None}},
        }
    )
    assert container.is_running
    assert container.is_ready
    assert container.stop_signal == "SIGTERM"
    assert container.stop_timeout == 10


@pytest.mark.parametrize(
    ("health", "podman", "ready"),
    [
        ({"Status": "healthy"}, False, True),
        ({"Status": "none"}, False, True),
        ({"Status": ""}, True, True),
        ({"Status": "unhealthy"}, True, False),
    ],
)
def test_health(health: dict[str, str], podman: bool, ready: bool) -> None:
    data = {"Id": ID, "Name": "/x", "State": {"Status": "running", "Health": health}}
    assert container_of(data, podman=podman).is_ready is ready


def test_a_row_of_the_list() -> None:
    row = {
        "Id": ID,
        "Names": ["/db/alias", "/api"],
        "State": "running",
        "Status": "Up 3 seconds (health: starting)",
        "NetworkSettings": {"Networks": {"a": {"IPAddress": "10.0.0.2"}}},
    }
    assert summary_of(row) == Summary(ID, "api", "running", "starting", (("a", "10.0.0.2"),))


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 2 hours", ""),
        ("Up 2 hours (healthy)", "healthy"),
        ("Up 2 hours (unhealthy)", "unhealthy"),
        ("Up 2 hours (Paused)", ""),
        ("Exited (0) 3 seconds ago", ""),
    ],
)
def test_health_in_the_status_text(status: str, health: str) -> None:
    assert summary_of({"Id": ID, "Names": ["/a"], "State": "x", "Status": status}).health == health


def test_a_changed_row_is_seen() -> None:
    container = Container(ID, "api", networks={"a": Attachment("na", "10.0.0.2")})
    same = Summary(ID, "api", "running", "", (("a", "10.0.0.2"),))
    assert says_the_same(same, container)
    for changed in (
        Summary(ID, "new", "running", "", same.networks),
        Summary(ID, "api", "paused", "", same.networks),
        Summary(ID, "api", "running", "unhealthy", same.networks),
        Summary(ID, "api", "running", "", (("a", "10.0.0.3"),)),
        Summary(ID, "api", "running", "", ()),
    ):
        assert not says_the_same(changed, container)
