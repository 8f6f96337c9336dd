from collections.abc import Mapping
from typing import Any

import pytest

from edgerouter_docker.inventory import Attachment, Binding, Container
from edgerouter_docker.network import (
    Choice,
    NoChoice,
    Surroundings,
    addresses_of,
    container_label,
    find_binding,
    ports_of,
)

OUTSIDE = Surroundings()
INSIDE = Surroundings(own_networks={"web": "id-web", "admin": "id-admin"})


def on(**networks: str) -> Container:
    """A container on networks; an address with colons is IPv6."""
    attachments = {
        name: Attachment(f"id-{name}", "" if ":" in ip else ip, ip if ":" in ip else "")
        for name, ip in networks.items()
    }
    return Container("c" * 64, "api", networks=attachments)


def address(container: Container, surroundings: Surroundings, **more: Any) -> tuple[str, str]:
    """Return the only address that can be chosen, and why."""
    found = addresses_of(container, surroundings, **more)
    (choice,) = found.choices
    assert (choice.warning, found.refusal) == ("", "")
    return choice.value, choice.note


def test_the_label_wins_even_over_what_is_shared() -> None:
    container = on(web="10.0.0.2", far="10.9.0.2")
    found = address(container, INSIDE, label="far", network="web")
    assert found == ("10.9.0.2", "far: docker.network label")


def test_the_providers_network_is_next() -> None:
    container = on(admin="10.0.0.2", web="10.1.0.2")
    assert address(container, INSIDE, network="web")[0] == "10.1.0.2"


def test_the_shared_network_in_the_order_of_names() -> None:
    container = on(aaa="10.9.0.2", web="10.0.0.2", admin="10.1.0.2")
    assert address(container, INSIDE) == ("10.1.0.2", "admin: shared with the router")


def test_shared_means_the_same_network_not_the_same_name() -> None:
    container = Container("c" * 64, "api", networks={"web": Attachment("another", "10.0.0.2")})
    assert "shares no network with the router" in addresses_of(container, INSIDE).refusal


def test_outside_a_container_the_first_that_answers() -> None:
    found = addresses_of(on(z="10.0.0.2", b="10.1.0.2"), OUTSIDE)
    assert [choice.value for choice in found.choices] == ["10.1.0.2", "10.0.0.2"]
    assert found.refusal == ""
    assert found.choices[0].note == "b: the first of the container's networks by name"
    assert found.choices[1].answering == (
        "z: the first of the container's networks by which it answers"
    )
    as_traefik = addresses_of(on(z="10.0.0.2", b="10.1.0.2"), OUTSIDE, compat=True)
    assert [choice.value for choice in as_traefik.choices] == ["10.1.0.2"]


def test_ipv6_only() -> None:
    assert address(on(web="fd00::2"), INSIDE)[0] == "fd00::2"


def test_a_missing_network_is_named_and_the_next_rule_used() -> None:
    container = on(shop_web="10.0.0.2")
    (choice,) = addresses_of(container, OUTSIDE, label="web").choices
    assert choice.value == "10.0.0.2"
    assert choice.warning == (
        'the network "web" of the docker.network label is not one of the container\'s'
        ' ("shop_web"); did you mean "shop_web"?'
    )


def test_no_shared_network_names_both_sides() -> None:
    found = addresses_of(on(db="10.0.0.2"), INSIDE)
    assert 'it is on "db", the router is on "admin", "web"' in found.refusal
    assert "traefik.docker.network" in found.refusal
    # It may be reached by routing all the same.
    assert [choice.value for choice in found.choices] == ["10.0.0.2"]


def test_as_traefik_a_network_that_is_not_shared_is_taken() -> None:
    assert address(on(db="10.0.0.2"), INSIDE, compat=True)[0] == "10.0.0.2"


def test_no_network_at_all() -> None:
    with pytest.raises(NoChoice, match="no address on any network"):
        addresses_of(Container("c" * 64, "api", network_mode="none"), OUTSIDE)


def test_host_mode() -> None:
    surroundings = Surroundings(host_address="192.0.2.1")
    container = Container("c" * 64, "api", network_mode="host")
    assert address(container, surroundings)[0] == "192.0.2.1"


def test_network_of_another_container() -> None:
    other = on(web="10.0.0.9")
    surroundings = Surroundings(find={"other-id": other}.get)
    container = Container("c" * 64, "side", network_mode="container:other-id")
    found, note = address(container, surroundings)
    assert found == "10.0.0.9"
    assert note.endswith("(of container api)")


def test_network_of_a_container_that_is_gone_or_borrows_itself() -> None:
    container = Container("c" * 64, "side", network_mode="container:x")
    with pytest.raises(NoChoice, match="does not exist"):
        addresses_of(container, OUTSIDE)
    with pytest.raises(NoChoice, match="none of its own"):
        addresses_of(container, Surroundings(find=lambda _id: container))


def port(container: Container, **more: Any) -> Choice:
    """Return the only port that can be chosen."""
    (choice,) = ports_of(container, **more).choices
    return choice


def exposing(*ports: str) -> Container:
    return Container("c" * 64, "api", published=dict.fromkeys(ports, ()))


@pytest.mark.parametrize(
    ("ports", "number", "rule"),
    [
        (["8000/tcp"], "8000", "the only exposed TCP port"),
        (["53/udp", "8000/tcp"], "8000", "the only exposed TCP port"),
        (["22/tcp", "80/tcp"], "80", "the first well-known HTTP port of those exposed"),
        (["3000/tcp", "8080/tcp", "22/tcp"], "8080", "the first well-known HTTP port of those"),
        (["9001/tcp", "9000/tcp"], "9000", "the lowest exposed TCP port"),
    ],
)
def test_port_rules(ports: list[str], number: str, rule: str) -> None:
    found = ports_of(exposing(*ports))
    choice = found.choices[0]
    assert (choice.value, found.refusal) == (number, "")
    assert choice.note.startswith(f"{number}: {rule}")
    is_open = rule.startswith("the lowest")
    assert (bool(choice.warning), len(found.choices) > 1) == (is_open, is_open)


def test_of_several_ports_one_that_answers() -> None:
    found = ports_of(exposing("9001/tcp", "7000/tcp", "53/udp"))
    assert [choice.value for choice in found.choices] == ["7000", "9001"]
    assert found.choices[1].answering == "9001: the first of the exposed TCP ports that answers"
    assert "(7000, 9001); 9001 was taken" in found.choices[1].warning


def test_well_known_ports_may_answer_though_none_is_exposed() -> None:
    found = ports_of(exposing("53/udp"))
    assert [choice.value for choice in found.choices] == ["80", "8080", "3000", "8000", "5000"]
    assert found.refusal.startswith("port is missing: the container exposes no TCP port")
    assert "nothing answers on 80, 8080, 3000, 8000, 5000; set the label {label}" in found.refusal
    assert "exposes no TCP port; 80 was taken, because" in found.choices[0].warning


def test_a_port_of_the_image_counts_when_nothing_is_published() -> None:
    assert port(Container("c" * 64, "a", exposed=frozenset({"81/tcp"}))).value == "81"


def test_the_port_label_wins() -> None:
    choice = port(exposing("80/tcp"), label="9999")
    assert (choice.value, choice.note) == ("9999", "9999: server.port label")


@pytest.mark.parametrize("label", ["http", " 80", "0", "65536", "-1", "8\uff10"])
def test_a_port_label_that_is_no_port(label: str) -> None:
    with pytest.raises(NoChoice, match="is not a port"):
        port(exposing("80/tcp"), label=label)


def test_no_port() -> None:
    with pytest.raises(NoChoice, match=r"port is missing.*\{label\}"):
        port(exposing("53/udp"), is_wanted=False)


def test_udp() -> None:
    assert port(exposing("53/udp", "80/tcp"), protocol="udp").value == "53"
    assert port(exposing("53/udp", "54/udp"), protocol="udp").value == "53", "nobody can be asked"


def test_as_traefik_the_lowest_of_any_protocol() -> None:
    assert port(exposing("80/tcp", "53/udp"), compat=True).value == "53"
    with pytest.raises(NoChoice, match=r"^port is missing$"):
        port(exposing(), compat=True)


@pytest.mark.parametrize(
    ("host_ip", "found"), [("192.0.2.1", True), ("0.0.0.0", False), ("", False), ("::", False)]
)
def test_bindings(host_ip: str, found: bool) -> None:
    binding = Binding(host_ip, "8080")
    container = Container("c" * 64, "a", published={"80/tcp": (binding,)})
    assert find_binding(container, "80", "tcp") == (binding if found else None)
    assert find_binding(container, "81", "tcp") is None


@pytest.mark.parametrize(
    ("labels", "value"),
    [
        ({"traefik.docker.network": "a"}, "a"),
        ({"traefik.Docker.Network": "a"}, "a"),
        ({"Traefik.docker.network": "a"}, ""),
        ({"traefik.docker.network": "a", "edgerouter.docker.network": "b"}, "b"),
        ({}, ""),
    ],
)
def test_labels_of_the_container(labels: Mapping[str, str], value: str) -> None:
    assert container_label(labels, "docker.network") == value
