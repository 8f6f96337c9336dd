"""Mistakes in labels: named in the API and in the log; everything else keeps being served."""

from collections.abc import Callable
from typing import Any

from docker.models.containers import Container

from tests.support.docker.routes import request, routed, short_id, wait_for_backends
from tests.support.eventually import eventually
from tests.support.router_process import RouterProcess

Run = Callable[..., Container]


def diagnostics_about(router: RouterProcess, container: Container) -> list[dict[str, Any]]:
    """What the API says about a container, once it says anything."""
    source = f"container {container.name}"
    return eventually(
        lambda: [
            found
            for found in router.get("/api/edgerouter/diagnostics")
            if source in found["source"] or source in found["message"]
        ],
        bool,
    )


def log_of(router: RouterProcess, text: str) -> list[str]:
    """The lines of the log that contain ``text``, once there are any."""

    def lines() -> list[str]:
        return [line for line in router.log.read_text().splitlines() if text in line]

    return eventually(lines, bool)


def test_wrong_labels_disable_one_router(quick_router: RouterProcess, run_container: Run) -> None:
    good = run_container(labels=routed("good"))
    labels = {
        **routed("fine"),
        "traefik.http.routers.wrong.rul": "Host(`wrong.test`)",
        "traefik.http.routers.wrong.service": "fine",
    }
    bad = run_container(labels=labels)
    wait_for_backends(quick_router, "fine", {short_id(bad)})
    wait_for_backends(quick_router, "good", {short_id(good)})
    assert request(quick_router, "wrong").status == 404
    router = quick_router.get("/api/http/routers/wrong@docker")
    assert router["status"] == "disabled"
    (error, *_) = router["error"]
    assert "traefik.http.routers.wrong.rul" in error
    assert 'did you mean "rule"' in error
    assert router["edgerouter"]["source"] == f"container {bad.name}"
    (found, *_) = diagnostics_about(quick_router, bad)
    assert found["key"] == "traefik.http.routers.wrong.rul"
    assert found["element"] == "http.routers.wrong"
    (line, *_) = log_of(quick_router, "traefik.http.routers.wrong.rul")
    assert str(bad.name) in line


def test_rule_that_cannot_be_parsed(quick_router: RouterProcess, run_container: Run) -> None:
    labels = {**routed("parsed"), "traefik.http.routers.unparsed.rule": "Hst(`unparsed.test`)"}
    labels["traefik.http.routers.unparsed.service"] = "parsed"
    bad = run_container(labels=labels)
    wait_for_backends(quick_router, "parsed", {short_id(bad)})
    router = quick_router.get("/api/http/routers/unparsed@docker")
    assert router["status"] == "disabled"
    assert "Hst" in router["error"][0]
    assert router["edgerouter"]["source"] == f"container {bad.name}"
    assert router["edgerouter"]["key"] == "traefik.http.routers.unparsed"
    log_of(quick_router, "Hst")


def test_the_older_of_two_routers_keeps_serving(
    quick_router: RouterProcess, run_container: Run
) -> None:
    older = run_container(labels=routed("twice"))
    wait_for_backends(quick_router, "twice", {short_id(older)})
    other = {
        "traefik.http.routers.twice.rule": "Host(`other.test`)",
        "traefik.http.routers.twice.service": "second",
        "traefik.http.services.second.loadbalancer.server.port": "80",
    }
    newer = run_container(labels=other)
    messages = [str(found) for found in diagnostics_about(quick_router, newer)]
    assert any(str(older.name) in text and "twice" in text for text in messages), messages
    assert any(str(newer.name) in line for line in log_of(quick_router, "twice"))
    wait_for_backends(quick_router, "twice", {short_id(older)})
    assert request(quick_router, "other").status == 404
    # With the older one gone nothing contradicts the newer one any more.
    older.remove(force=True)
    wait_for_backends(quick_router, "other", {short_id(newer)})
    assert request(quick_router, "twice").status == 404


def project(name: str, middlewares: str = "") -> dict[str, str]:
    """Labels of a Compose project that calls its router and service as all others do."""
    more = {"traefik.http.routers.same.middlewares": middlewares} if middlewares else {}
    return {
        "com.docker.compose.project": name,
        "com.docker.compose.service": "web",
        "traefik.http.routers.same.rule": f"Host(`{name}.test`)",
        "traefik.http.services.same.loadbalancer.server.port": "80",
        **more,
    }


def test_projects_with_the_same_names_stay_apart(
    router_with: Callable[..., RouterProcess], run_container: Run
) -> None:
    """Neither gets requests of the other, and the older one keeps its names when re-created."""
    with router_with({"edgerouter.turnover.hold": "10s"}) as router:
        older = run_container(labels=project("first"))
        wait_for_backends(router, "first", {short_id(older)})
        newer = run_container(labels=project("second"))
        assert diagnostics_about(router, newer)
        wait_for_backends(router, "first", {short_id(older)})
        assert request(router, "second").status == 404
        lost = router.get(f"/api/http/routers/same~{newer.name}@docker")
        assert lost["status"] == "disabled"
        assert str(older.name) in lost["error"][0]
        assert router.get("/api/http/routers/same@docker")["status"] == "warning"

        older.remove(force=True)
        again = run_container(labels=project("first"))
        wait_for_backends(router, "first", {short_id(again)})
        assert request(router, "second").status == 404
        again.remove(force=True)
        wait_for_backends(router, "second", {short_id(newer)}, within=30)


def test_a_middleware_of_another_project_guards_nothing(
    quick_router: RouterProcess, run_container: Run
) -> None:
    def guarded(name: str, networks: str) -> dict[str, str]:
        guard = {"traefik.http.middlewares.guard.ipallowlist.sourcerange": networks}
        return {**routed(name), **guard, f"traefik.http.routers.{name}.middlewares": "guard"}

    is_open = run_container(labels=guarded("open", "0.0.0.0/0"))
    wait_for_backends(quick_router, "open", {short_id(is_open)})
    closed = run_container(labels=guarded("closed", "10.9.9.9/32"))
    assert diagnostics_about(quick_router, closed)
    assert request(quick_router, "closed").status == 404
    assert quick_router.get("/api/http/routers/closed@docker")["status"] == "disabled"
    wait_for_backends(quick_router, "open", {short_id(is_open)})
