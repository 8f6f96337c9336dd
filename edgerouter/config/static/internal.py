"""``api`` and ``ping``: what the router serves about itself."""

from pydantic import Field

from edgerouter.config.static.section import Section

INTERNAL_ENTRY_POINT = "traefik"
"""The entry point that internal services use when nothing else is said."""


class API(Section):
    """``api``: API and dashboard."""

    base_path: str = Field("/", description="Path in front of /api and /dashboard.")
    insecure: bool = Field(
        False, description="Serve them without authentication on the entry point traefik."
    )
    dashboard: bool = Field(True, description="Serve the dashboard.")
    debug: bool = Field(False, description="Serve /debug/vars and /debug/pprof.")
    disable_dashboard_ad: bool = Field(False, description="No advertisement in the dashboard.")
    dashboard_name: str = Field("", description="Name shown in the dashboard.")


class Ping(Section):
    """``ping``: an answer to health checks."""

    entry_point: str = Field(INTERNAL_ENTRY_POINT, description="Entry point that serves /ping.")
    manual_routing: bool = Field(
        False, description="Serve it only through a router to ping@internal."
    )
    terminating_status_code: int = Field(
        503, ge=100, le=599, description="Status answered while the router stops."
    )
