"""Who is older, and who keeps a name while containers come and go."""

from dataclasses import replace

from edgerouter_docker.assemble import Assembled, Assembler
from edgerouter_docker.inventory import Attachment, Container
from edgerouter_docker.lingering import GONE
from edgerouter_docker.options import Options
from edgerouter_docker.seniority import Seniority
from edgerouter_docker.translate import settings_of


def shop(project: str, created: str, number: int = 1) -> Container:
    """A container of a project that calls everything ``web``, as all others do."""
    name = f"{project}-web-{number}"
    return Container(
        id=f"{name}-{created}",
        name=name,
        created_at=created,
        networks={"web": Attachment("id-web", f"10.0.{created[-1]}.{number}")},
        labels={
            "com.docker.compose.project": project,
            "com.docker.compose.service": "web",
            "traefik.http.routers.web.rule": f"Host(`{project}.test`)",
            "traefik.http.services.web.loadbalancer.server.port": "80",
        },
    )


def test_a_place_is_as_old_as_its_first_container() -> None:
    seniority = Seniority()
    a1, b, a2 = shop("a", "2026-1"), shop("b", "2026-2"), shop("a", "2026-3", 2)
    assert seniority.sorted([a2, b, a1]) == [a1, a2, b]
    assert seniority.sorted([a2, b]) == [a2, b], "the first one has been re-created"
    assert seniority.sorted([b]) == [b]
    assert seniority.sorted([a2, b]) == [b, a2], "nobody had the place meanwhile"


def test_without_compose_the_name_is_the_place() -> None:
    seniority = Seniority()
    old, other = Container("1", "api", created_at="1"), Container("2", "other", created_at="2")
    seniority.sorted([old, other])
    new = Container("3", "api", created_at="3")
    assert seniority.sorted([other, new]) == [new, other]


def assembled(assembler: Assembler, *living: Container, gone: tuple[Container, ...] = ()) -> str:
    """Return the rule that serves as ``web``, and its servers."""
    left = [replace(container, status=GONE) for container in gone]
    found: Assembled = assembler.assemble({c.id: c for c in living}, left)
    configuration = found.configuration
    if "web" not in configuration.http.routers:
        return ""
    balancer = configuration.http.services["web"].load_balancer
    assert balancer is not None
    servers = " ".join(server.url for server in balancer.servers)
    return f"{configuration.http.routers['web'].rule} {servers}".strip()


def test_a_project_that_is_re_created_keeps_its_names() -> None:
    options = Options.model_validate({"allowEmptyServices": True})
    assembler = Assembler(settings_of(options, "docker"))
    a, b = shop("a", "2026-1"), shop("b", "2026-2")
    assert assembled(assembler, a, b) == "Host(`a.test`) http://10.0.1.1:80"
    # While it is away its requests wait, and do not go elsewhere.
    assert assembled(assembler, b, gone=(a,)) == "Host(`a.test`)"
    new = shop("a", "2026-3")
    assert assembled(assembler, b, new, gone=(a,)) == "Host(`a.test`) http://10.0.3.1:80"
    assert assembled(assembler, b, new) == "Host(`a.test`) http://10.0.3.1:80"
    # It has gone for good.
    assert assembled(assembler, b, gone=(new,)) == "Host(`a.test`)"
    assert assembled(assembler, b) == "Host(`b.test`) http://10.0.2.1:80"
    assert assembled(assembler, b, shop("a", "2026-4")) == "Host(`b.test`) http://10.0.2.1:80"


def test_who_comes_after_it_has_gone_takes_the_names_at_once() -> None:
    options = Options.model_validate({"allowEmptyServices": True})
    assembler = Assembler(settings_of(options, "docker"))
    a, b = shop("a", "2026-1"), shop("b", "2026-2")
    assert assembled(assembler, a) == "Host(`a.test`) http://10.0.1.1:80"
    assert assembled(assembler, gone=(a,)) == "Host(`a.test`)"
    assert assembled(assembler, b, gone=(a,)) == "Host(`b.test`) http://10.0.2.1:80"
