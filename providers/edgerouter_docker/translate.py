"""Containers into one dynamic configuration: pure, no engine, no clock.

Traefik's rules: a container without services gets one named after it, without
routers one with the default rule; a router without a service gets the only one.
A mistake disables the element it belongs to; the container's other elements and
all other containers are as if it were not there.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from edgerouter.config.diagnostics import Diagnostic, Severity
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.labels import read_labels
from edgerouter.config.types import parse_bool
from edgerouter.gotemplate import Template, TemplateError
from edgerouter_docker.certificates import reaction_of
from edgerouter_docker.constraints import Constraint, parse_constraints
from edgerouter_docker.inventory import Container
from edgerouter_docker.lingering import GONE
from edgerouter_docker.network import Surroundings, find_label
from edgerouter_docker.options import Options
from edgerouter_docker.routers import complete
from edgerouter_docker.servers import Endpoint, Problem, Question, fill_in_servers

_EXPECTED = {"paused", "restarting", GONE}
"""Containers that do not run, but may soon."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options, parsed."""

    options: Options
    provider: str
    constraint: Constraint
    default_rule: Template


def settings_of(options: Options, provider: str) -> Settings:
    """Return the options with their expression and template parsed.

    Raises:
        ValueError: One of them is malformed; the message names the option.
    """
    try:
        constraint = parse_constraints(options.constraints)
    except ValueError as error:
        raise ValueError(f"providers.{provider}.constraints: {error}") from error
    try:
        template = Template.parse(options.default_rule)
    except TemplateError as error:
        raise ValueError(f"providers.{provider}.defaultRule: {error}") from error
    return Settings(options, provider, constraint, template)


@dataclass(frozen=True, slots=True)
class Translated:
    """What one container says; nothing when it is left out."""

    configuration: DynamicConfiguration | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    urls: frozenset[str] = frozenset()
    """The URLs of its servers."""
    questions: frozenset[Question] = frozenset()
    """What is to be asked before it is clear where requests go to."""
    unserved: frozenset[str] = frozenset()
    """Services (element paths) that got no server because of an error."""


def translate(
    container: Container,
    settings: Settings,
    surroundings: Surroundings,
    answering: Collection[Endpoint] = (),
) -> Translated:
    """Return what ``container`` configures; never raises for what a container says.

    Args:
        container: What is known of it.
        settings: The options.
        surroundings: Where the router stands.
        answering: Those of its ports and addresses that are known to answer.
    """
    return _Translation(container, settings, surroundings, answering).run()


@dataclass(slots=True)
class _Translation:
    container: Container
    settings: Settings
    surroundings: Surroundings
    answering: Collection[Endpoint]
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def run(self) -> Translated:
        try:
            reaction_of(self.container.labels)
        except ValueError as error:
            self._say("warning", f"the container is not told of new certificates: {error}")
        if not self._is_kept():
            return Translated(diagnostics=tuple(self.diagnostics))
        as_traefik = self.settings.options.compat == "traefik"
        labels = read_labels(
            self.container.labels,
            source=str(self.container),
            provider=self.settings.provider,
            as_traefik=as_traefik,
        )
        configuration = labels.configuration
        self.diagnostics.extend(labels.diagnostics)
        if as_traefik and labels.is_refused:
            return self._left_out()
        completed = complete(
            configuration,
            self.container,
            self.settings.default_rule,
            is_self=self._is_self(),
            mistaken_router="" if as_traefik else labels.mistaken_router,
        )
        filled = fill_in_servers(
            completed.configuration,
            self.container,
            self.settings.options,
            self.surroundings,
            self.answering,
        )
        for problem in (*completed.problems, *filled.problems):
            self._report(problem, configuration)
        unserved = frozenset(p.element for p in filled.problems if p.severity == "error")
        if as_traefik and unserved:
            return self._left_out()
        return Translated(
            filled.configuration,
            tuple(self.diagnostics),
            frozenset(filled.urls),
            frozenset(filled.questions),
            unserved,
        )

    def _report(self, problem: Problem, configuration: DynamicConfiguration) -> None:
        severity = problem.severity
        if not self.container.is_labelled:
            severity = "warning"  # Nobody asked for a route to it.
        self._say(
            severity,
            problem.message,
            key=configuration.keys.get(problem.element, ""),
            element=problem.element,
        )

    def _left_out(self) -> Translated:
        """Drop the container for one mistake, as Traefik does."""
        self._say("error", "the container is left out for its mistakes (edgerouter.compat)")
        return Translated(diagnostics=tuple(self.diagnostics))

    def _is_self(self) -> bool:
        return self.container.id == self.surroundings.own_id

    # Whether the container counts

    def _is_kept(self) -> bool:
        options = self.settings.options
        if not self._flag("enable", default=options.exposed_by_default):
            return False
        if not self.settings.constraint(self.container.labels):
            return False
        if self._flag("docker.allownonrunning", default=False):
            return True
        if not self.container.is_running:
            return self.container.status in _EXPECTED and options.allow_empty_services
        if self.container.is_ready or options.allow_empty_services:
            return True
        self._say(
            "warning",
            f"the container is left out while {self.container.obstacle};"
            " providers.docker.allowEmptyServices keeps its routes and answers 503",
        )
        return False

    def _flag(self, name: str, *, default: bool) -> bool:
        key, text = find_label(self.container.labels, name)
        if not key:
            return default
        try:
            return parse_bool(text)
        except ValueError as error:
            self._say("error", f"{error}; the container is left out", key=key)
            return False

    def _say(self, severity: Severity, message: str, *, key: str = "", element: str = "") -> None:
        self.diagnostics.append(
            Diagnostic(severity, message, self.settings.provider, str(self.container), key, element)
        )
