"""``experimental``: options of Traefik's plug-in system and of unfinished features."""

from typing import Annotated

from pydantic import Field

from edgerouter.config.static.section import Section
from edgerouter.config.types import ALLOW_EMPTY


class PluginSettings(Section):
    """``settings`` of a plug-in."""

    envs: list[str] = Field(default_factory=list, description="Environment variables it sees.")
    mounts: list[str] = Field(default_factory=list, description="Directories it sees.")
    use_unsafe: bool = Field(False, description="Let it use unsafe packages.")


class LocalPlugin(Section):
    """``experimental.localPlugins.<name>``."""

    module_name: str = Field("", description="Module of the plug-in.")
    settings: PluginSettings | None = Field(None, description="Settings.")


class Plugin(LocalPlugin):
    """``experimental.plugins.<name>``."""

    version: str = Field("", description="Version.")
    hash: str = Field("", description="Hash of the archive.")


class FastProxy(Section):
    """``experimental.fastProxy``."""

    debug: bool = Field(False, description="Debug mode.")


class Experimental(Section):
    """``experimental``."""

    plugins: dict[str, Plugin] = Field(default_factory=dict, description="Plug-ins.")
    local_plugins: dict[str, LocalPlugin] = Field(
        default_factory=dict, description="Local plug-ins."
    )
    abort_on_plugin_failure: bool = Field(False, description="Stop when a plug-in fails.")
    fast_proxy: Annotated[FastProxy | None, ALLOW_EMPTY] = Field(
        None, description="Traefik's fast proxy."
    )
    otlplogs: bool = Field(False, description="OpenTelemetry logs.")
    knative: bool = Field(False, description="Knative provider.")
    kubernetes_ingress_nginx: bool = Field(
        False, alias="kubernetesIngressNGINX", description="Ingress NGINX provider."
    )
    kubernetes_gateway: bool = Field(False, description="Gateway API provider.")
