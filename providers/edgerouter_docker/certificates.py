"""Containers that are to be told when the copy of a certificate has changed, by their labels.

``certificate.names`` says which names it is about, ``certificate.signal``, ``certificate.exec``
and ``certificate.restart`` what is done to the container then.
"""

import logging
import shlex
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgerouter.config.types import parse_bool
from edgerouter_docker.engine import Engine, EngineUnavailable
from edgerouter_docker.inventory import Container
from edgerouter_docker.network import container_label

log = logging.getLogger(__name__)

NAMES, SIGNAL, EXEC = "certificate.names", "certificate.signal", "certificate.exec"
RESTART = "certificate.restart"


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a container wants done after a change."""

    names: tuple[str, ...]
    """Lower-case host names."""
    signal: str = ""
    """``SIGHUP``, ..."""
    command: tuple[str, ...] = ()
    """A program in the container, with its arguments."""
    restart: bool = False

    def concerns(self, certified: Iterable[str]) -> bool:
        """Whether a certificate for these names is one of those the container uses."""
        exact = set(certified)
        return any(name in exact or f"*.{name.partition('.')[2]}" in exact for name in self.names)


def reaction_of(labels: Mapping[str, str]) -> Reaction | None:
    """Return what a container wants; None when it wants nothing.

    Raises:
        ValueError: A label is malformed; the message names it.
    """
    names, number, command, restarted = (
        container_label(labels, name).strip() for name in (NAMES, SIGNAL, EXEC, RESTART)
    )
    if not (names or number or command or restarted):
        return None
    if not names:
        raise ValueError(f"{NAMES} is missing; it says whose certificate the container uses")
    restart = _is_on(restarted) if restarted else False
    if not (number or command or restart):
        raise ValueError(
            f"{SIGNAL}, {EXEC} or {RESTART}=true is missing; they say what is done after a change"
        )
    listed = tuple(name.strip().lower() for name in names.split(",") if name.strip())
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise ValueError(f"{EXEC}: {error}; check the quotes") from error
    return Reaction(listed, _signal(number) if number else "", words, restart)


def _is_on(text: str) -> bool:
    try:
        return parse_bool(text)
    except ValueError as error:
        raise ValueError(f"{RESTART}: {error}") from error


def _signal(text: str) -> str:
    try:
        if text.isdecimal():
            return signal.Signals(int(text)).name
        return signal.Signals[f"SIG{text.upper().removeprefix('SIG')}"].name
    except (KeyError, ValueError):
        raise ValueError(f"{SIGNAL}: there is no signal {text}; HUP is the usual one") from None


def tell(
    make_engine: Callable[[], Engine], containers: Iterable[Container], certified: Sequence[str]
) -> None:
    """Tell those of ``containers`` that use a certificate for these names. Blocking.

    Every failure is logged with the container's name; the others are told all the same.

    Raises:
        EngineUnavailable: None could be told.
    """
    concerned = [(each, reaction) for each in containers if (reaction := _wanted(each, certified))]
    if not concerned:
        return
    engine = make_engine()
    try:
        engine.connect()
        for container, reaction in concerned:
            _react(engine, container, reaction, certified)
    finally:
        engine.close()


def _wanted(container: Container, certified: Sequence[str]) -> Reaction | None:
    if not container.is_running:
        return None
    try:
        reaction = reaction_of(container.labels)
    except ValueError:
        return None  # Reported where labels are read.
    return reaction if reaction is not None and reaction.concerns(certified) else None


def _react(
    engine: Engine, container: Container, reaction: Reaction, certified: Sequence[str]
) -> None:
    try:
        if reaction.signal:
            engine.signal(container.id, reaction.signal)
        if reaction.command:
            engine.execute(container.id, reaction.command)
        if reaction.restart:
            engine.restart(container.id, container.stop_timeout)
    except EngineUnavailable as error:
        log.error(
            "The %s is not told of the new certificate for %s: %s",
            container,
            certified[0],
            error,
        )
    else:
        acts = (reaction.signal, shlex.join(reaction.command), "restart" * reaction.restart)
        done = " and ".join(filter(None, acts))
        log.info("The %s is told of the new certificate for %s: %s", container, certified[0], done)
