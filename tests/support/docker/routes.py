"""Labels of routed containers, and what a client of the router sees of them."""

from docker.models.containers import Container

from tests.support.docker.engine import container_ip
from tests.support.eventually import Answer, ask, eventually
from tests.support.router_process import RouterProcess


def routed(name: str, **labels: str) -> dict[str, str]:
    """Labels of a router and a service called ``name``, for the host ``name.test``."""
    return {
        f"traefik.http.routers.{name}.rule": f"Host(`{name}.test`)",
        f"traefik.http.services.{name}.loadbalancer.server.port": "80",
        **labels,
    }


def request(router: RouterProcess, name: str, path: str = "/") -> Answer:
    """Ask for ``path`` of the host ``name.test`` at the entry point ``web``."""
    return ask(router.ports["web"], path, host=f"{name}.test")


def backend(answer: Answer) -> str:
    """The short id of the container that answered."""
    return answer.headers.get("x-backend", "")


def wait_for_status(
    router: RouterProcess, name: str, status: int, *, within: float = 15
) -> list[Answer]:
    """Wait until a route answers with ``status`` on six connections in a row.

    A connection goes to any of the workers: one answer tells about one of them.
    """
    return eventually(
        lambda: [request(router, name) for _ in range(6)],
        lambda answers: all(answer.status == status for answer in answers),
        within=within,
    )


def wait_for_backends(
    router: RouterProcess, name: str, containers: set[str], *, within: float = 15
) -> list[Answer]:
    """Wait until exactly these containers (short ids) answer, all with 200."""
    return eventually(
        lambda: [request(router, name) for _ in range(6 * max(1, len(containers)))],
        lambda answers: (
            all(answer.status == 200 for answer in answers)
            and {backend(answer) for answer in answers} == containers
        ),
        within=within,
    )


def short_id(container: Container) -> str:
    assert container.id is not None
    return container.id[:12]


def url(container: Container, network: str | None = None) -> str:
    return f"http://{container_ip(container, network)}:80"
