"""The Docker provider: container labels become routes."""

from edgerouter_docker.provider import DockerProvider

__all__ = ["DockerProvider"]
