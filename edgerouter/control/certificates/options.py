"""Options of ACME resolvers that their types do not check: a mistake ends a resolver, no router."""

import logging
from collections.abc import Iterator

from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.acme import ACME, KEY_TYPES
from edgerouter.config.static.section import Section
from edgerouter.config.types import camel_case, suggestion
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

USUAL_KEY_TYPE = "RSA4096"


def usable(name: str, acme: ACME, configuration: StaticConfiguration) -> ACME:
    """Return the options of the resolver ``name`` as they are used.

    Raises:
        ValueError: It cannot be used; the message has the option, the reason and the remedy.
    """
    path = f"certificatesResolvers.{name}.acme"
    if acme.certificates_duration < 1:
        raise ValueError(
            f"{path}.certificatesDuration is {acme.certificates_duration};"
            " write the hours that a certificate is valid, at least 1"
        )
    if (negative := next(_negative(acme, path), None)) is not None:
        option, seconds = negative
        raise ValueError(f"{option} is {seconds:g} s; write a time that is not negative")
    if acme.http_challenge is not None:
        _check_entry_point(f"{path}.httpChallenge.entryPoint", acme, configuration)
    if acme.key_type in KEY_TYPES:
        return acme
    if acme.key_type:
        log.warning(
            "The kind of keys is unknown, another one is used, as in Traefik",
            extra=fields(
                option=f"{path}.keyType",
                value=acme.key_type,
                used=USUAL_KEY_TYPE,
                remedy=f"write one of {', '.join(KEY_TYPES)}",
            ),
        )
    return acme.model_copy(update={"key_type": USUAL_KEY_TYPE})


def _negative(section: Section, path: str) -> Iterator[tuple[str, float]]:
    """Find times below zero, in sections below this one too."""
    for field in type(section).model_fields:
        value, place = getattr(section, field), f"{path}.{camel_case(field)}"
        if isinstance(value, Section):
            yield from _negative(value, place)
        elif isinstance(value, float) and value < 0:
            yield place, value


def _check_entry_point(path: str, acme: ACME, configuration: StaticConfiguration) -> None:
    assert acme.http_challenge is not None  # noqa: S101 - for the type checker
    name, known = acme.http_challenge.entry_point, configuration.entry_points
    if not name:
        raise ValueError(
            f"{path} is missing; name the entry point that the CA reaches at port 80"
            f" (entry points: {', '.join(known)})"
        )
    if name not in known:
        raise ValueError(
            f'{path}: there is no entry point "{name}"{suggestion(name, known)}'
            f" (entry points: {', '.join(known)})"
        )
