"""``providers``: options common to all providers and which providers are used."""

from pydantic import BaseModel, Field, SerializeAsAny

from edgerouter.config.static.section import Seconds, Section

TRAEFIK_PROVIDERS = (
    "docker",
    "swarm",
    "file",
    "kubernetesIngress",
    "kubernetesIngressNGINX",
    "kubernetesCRD",
    "kubernetesGateway",
    "knative",
    "rest",
    "consulCatalog",
    "nomad",
    "ecs",
    "consul",
    "etcd",
    "zooKeeper",
    "redis",
    "http",
    "plugin",
)
"""Every provider of Traefik 3.7, in its spelling."""

DEFAULT_PRECEDENCE = (
    "kubernetesgateway",
    "kubernetescrd",
    "kubernetes",
    "kubernetesingressnginx",
    "swarm",
    "docker",
    "file",
    "redis",
    "knative",
    "consul",
    "consulcatalog",
    "nomad",
    "etcd",
    "ecs",
    "http",
    "zookeeper",
    "rest",
)


class Providers(Section):
    """``providers``."""

    providers_throttle_duration: Seconds = Field(
        2, description="Shortest time between two configurations of one provider."
    )
    precedence: list[str] = Field(
        default_factory=lambda: list(DEFAULT_PRECEDENCE),
        description="Order of providers whose routers have the same priority, strongest first.",
    )
    enabled: dict[str, SerializeAsAny[BaseModel]] = Field(
        default_factory=dict,
        exclude=True,
        description="Options of the providers in use, by the name of the provider.",
    )
