"""The static options under ``providers.file``: Traefik's names and defaults."""

from typing import Literal

from pydantic import Field

from edgerouter.config.static.section import Section


class Options(Section):
    """``providers.file``."""

    filename: str = Field("", description="The file to load: .yml, .yaml or .toml.")
    directory: str = Field(
        "", description="Load every .yml, .yaml and .toml file of a directory and those below it."
    )
    watch: bool = Field(True, description="Load files again when they change.")
    debug_log_generated_template: bool = Field(
        False, description="Log templates and what they rendered to, at level DEBUG."
    )
    compat: Literal["", "traefik"] = Field(
        "", description="Set by edgerouter.compat: a mistake anywhere rejects all files."
    )
