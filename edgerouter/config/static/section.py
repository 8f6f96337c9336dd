"""The base of every section of the static configuration.

Names are snake_case in Python and Traefik's camelCase everywhere else; a field
whose camelCase name is irregular (``trustedIPs``) says it as its alias.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from edgerouter.config.types import Duration

Seconds = Annotated[Duration, Field(ge=0)]
"""A time in seconds; duration text is accepted, negative times are not."""


class Section(BaseModel):
    """A group of static options: immutable, no unknown names, dumped with Traefik's names."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        serialize_by_alias=True,
    )
