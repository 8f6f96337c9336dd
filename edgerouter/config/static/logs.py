"""``log`` and ``accessLog``."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from edgerouter.config.static.otlp import OTLPLogs
from edgerouter.config.static.section import Seconds, Section
from edgerouter.config.types import ALLOW_EMPTY

LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "PANIC")
FieldMode = Literal["keep", "drop"]
HeaderMode = Literal["keep", "drop", "redact"]


class Log(Section):
    """``log``: the log of the router itself."""

    level: str = Field(
        "",
        description="Least important level that is written: " + ", ".join(LOG_LEVELS) + "; "
        "unset: INFO, or ERROR with edgerouter.compat=traefik.",
    )
    format: Literal["common", "json"] = Field("common", description="Format of a line.")
    no_color: bool = Field(False, description="No colours in the common format.")
    file_path: str = Field("", description="File to write to; empty: standard output.")
    max_size: int = Field(0, ge=0, description="Size in megabytes at which the file is rotated.")
    max_age: int = Field(0, ge=0, description="Days after which rotated files are removed.")
    max_backups: int = Field(0, ge=0, description="How many rotated files are kept; 0: all.")
    compress: bool = Field(False, description="Compress rotated files with gzip.")
    otlp: Annotated[OTLPLogs | None, ALLOW_EMPTY] = Field(
        None, description="Send the log to an OpenTelemetry collector."
    )

    @field_validator("level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        level = value.upper()
        if level and level not in LOG_LEVELS:
            raise ValueError(f'expected one of {", ".join(LOG_LEVELS)}; got "{value}"')
        return level


class AccessLogFilters(Section):
    """``accessLog.filters``: a request that meets one of them is logged."""

    status_codes: list[str] = Field(
        default_factory=list, description="Status codes and ranges, such as 200,300-399."
    )
    retry_attempts: bool = Field(False, description="Requests that were retried.")
    min_duration: Seconds = Field(0, description="Requests that took at least this long.")


class AccessLogHeaders(Section):
    """``accessLog.fields.headers``."""

    default_mode: HeaderMode = Field("drop", description="What happens to request headers.")
    names: dict[str, HeaderMode] = Field(
        default_factory=dict, description="What happens to one header."
    )


class AccessLogQueryParameters(Section):
    """``accessLog.fields.queryParameters``."""

    default_mode: HeaderMode = Field("keep", description="What happens to the query.")


class AccessLogFields(Section):
    """``accessLog.fields``."""

    default_mode: FieldMode = Field("keep", description="What happens to fields.")
    names: dict[str, FieldMode] = Field(
        default_factory=dict, description="What happens to one field."
    )
    headers: AccessLogHeaders = Field(
        default_factory=AccessLogHeaders, description="Request headers in the log."
    )
    query_parameters: AccessLogQueryParameters = Field(
        default_factory=AccessLogQueryParameters, description="The query in the log."
    )


class AccessLog(Section):
    """``accessLog``: one line per request."""

    file_path: str = Field("", description="File to write to; empty: standard output.")
    format: Literal["common", "genericCLF", "json"] = Field(
        "common", description="Format of a line."
    )
    filters: AccessLogFilters = Field(
        default_factory=AccessLogFilters, description="Which requests are logged; none: all."
    )
    fields_: AccessLogFields = Field(
        default_factory=AccessLogFields, alias="fields", description="What is logged of a request."
    )
    buffering_size: int = Field(
        0, ge=0, description="Lines to keep in memory before they are written."
    )
    add_internals: bool = Field(False, description="Also log ping, dashboard and the like.")
    dual_output: bool = Field(False, description="Write lines although they are sent by OTLP.")
    otlp: Annotated[OTLPLogs | None, ALLOW_EMPTY] = Field(
        None, description="Send the access log to an OpenTelemetry collector."
    )
