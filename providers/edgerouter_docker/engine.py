"""The engine's HTTP API through the ``docker`` SDK: blocking calls, one place where they fail.

Every failure to reach the engine becomes ``EngineUnavailable``, with a remedy
when the reason is known. Needed rights: ``/_ping /version /events
/containers/json /containers/{id}/json``, and for labels ``certificate.signal``, ``.exec`` and
``.restart`` those that act on a container. The API version is the engine's own answer, never a
constant.
"""

import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol

import docker
import docker.errors
import docker.tls
import requests
import urllib3
from docker.utils import kwargs_from_env

from edgerouter.tls.sessions import GoAdapter
from edgerouter_docker.inventory import Container, Summary, container_of, summary_of
from edgerouter_docker.options import ClientTLS, Options
from edgerouter_docker.ssh import SshTunnel

CALL_TIMEOUT = 60.0
"""Seconds for one call when ``httpClientTimeout`` does not say."""
EXEC_TIMEOUT = 60.0
"""Seconds a program has that is run in a container."""
EXEC_POLL = 0.05
_EVENT_TYPES = ["container", "network"]
_EVENTS = [
    *("start", "die", "kill", "stop", "pause", "unpause", "health_status", "rename", "update"),
    *("destroy", "connect", "disconnect"),
]


class EventStream(Protocol):
    """The decoded events; ``close`` from another thread ends the iteration."""

    def __iter__(self) -> Iterator[dict[str, Any]]: ...

    def close(self) -> None: ...


class EngineUnavailable(Exception):
    """The engine cannot be reached, or answers what nobody can read."""


class UnreadableContainer(Exception):
    """One container cannot be read; the others can."""


class _Client(docker.APIClient):
    """The SDK's client, verifying as Go; its options count for more than ``REQUESTS_CA_BUNDLE``."""

    def mount(self, prefix: Any, adapter: Any) -> None:
        # The SDK asks the engine for its version before anybody else could put it there.
        super().mount(prefix, GoAdapter() if prefix == "https://" else adapter)

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        chosen = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, chosen, cert)


class Engine:
    """A connection to one engine. Methods block; call them in a thread."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._resources = ExitStack()
        self._api: docker.APIClient | None = None
        self.endpoint = endpoint_of(options, os.environ)
        self.version = ""
        self.api_version = ""
        self.is_podman = False

    def __repr__(self) -> str:
        return f"<Engine {self.endpoint} {self.version or 'not connected'}>"

    def connect(self) -> None:
        """Negotiate the API version and learn what engine it is.

        Raises:
            EngineUnavailable: It cannot be reached.
        """
        with self._translated():
            _try_socket(self.endpoint)
            self._api = _Client(**self._client_arguments())
            self._resources.callback(self._api.close)
            if self._options.username:
                self._api.auth = (self._options.username, self._options.password)
            answer = self._api.version(api_version=False)
        self.version = str(answer.get("Version", ""))
        self.api_version = str(answer.get("ApiVersion", ""))
        components = answer.get("Components") or ()
        self.is_podman = any("podman" in str(c.get("Name", "")).lower() for c in components)

    def close(self) -> None:
        """Release connections and files; a running stream of events must be closed before."""
        self._resources.close()

    def clock(self) -> int:
        """Return the engine's own time in Unix seconds, rounded down."""
        with self._translated():
            response = self._connected.get(f"{self._connected.base_url}/_ping", timeout=self._limit)
            response.raise_for_status()
            date = response.headers.get("Date")
            return int(parsedate_to_datetime(date).timestamp() if date else time.time())

    def list(self) -> list[Summary]:
        """Return a row for each container, running or not."""
        with self._translated():
            rows = self._connected.containers(all=True)
            if not isinstance(rows, list):
                raise TypeError("expected a list of containers")
            return [_summary(row) for row in rows]

    def inspect(self, container_id: str) -> Container | None:
        """Return the container, or None when there is none of that id any more.

        Raises:
            EngineUnavailable: The engine cannot be reached.
            UnreadableContainer: The engine has it but does not give it.
        """
        with self._translated():
            try:
                data = self._connected.inspect_container(container_id)
            except docker.errors.NotFound:
                return None
            except docker.errors.APIError as error:
                raise UnreadableContainer(_said(error)) from error
        try:
            return container_of(data, podman=self.is_podman)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnreadableContainer(
                f"the answer of the engine is malformed: {error!r}"
            ) from error

    def signal(self, container_id: str, name: str) -> None:
        """Send a signal to a container's first process.

        Raises:
            EngineUnavailable: The engine does not do it, or cannot be reached.
        """
        with self._translated(), _permitted("POST /containers/{id}/kill"):
            self._connected.kill(container_id, name)

    def execute(self, container_id: str, command: Sequence[str]) -> None:
        """Run a program in a container and wait for it.

        Raises:
            EngineUnavailable: The engine does not do it, cannot be reached, or the program fails.
        """
        # Detached: otherwise the engine wants the connection for itself, which proxies do not like.
        with self._translated(), _permitted("POST /containers/{id}/exec and /exec/{id}/start"):
            made = self._connected.exec_create(container_id, list(command))["Id"]
            self._connected.exec_start(made, detach=True)
            end = time.monotonic() + EXEC_TIMEOUT
            while (state := self._connected.exec_inspect(made))["Running"]:
                if time.monotonic() > end:
                    raise EngineUnavailable(f"{command[0]} has not ended in {EXEC_TIMEOUT:g} s")
                time.sleep(EXEC_POLL)
        if state["ExitCode"]:
            raise EngineUnavailable(f"{command[0]} ended with status {state['ExitCode']}")

    def restart(self, container_id: str, stop_timeout: float) -> None:
        """Stop a container, killing it after ``stop_timeout`` seconds, and start it again.

        Raises:
            EngineUnavailable: The engine does not do it, or cannot be reached.
        """
        with self._translated(), _permitted("POST /containers/{id}/restart"):
            self._connected.restart(container_id, round(stop_timeout))

    def events(self, since: int) -> EventStream:
        """Open the stream of events from ``since`` (the engine's Unix seconds) on.

        Exec events, one burst for every health probe, are left out by the engine.
        """
        filters = {"type": _EVENT_TYPES, "event": _EVENTS}
        with self._translated():
            return self._connected.events(since=since, filters=filters, decode=True)

    @property
    def _connected(self) -> docker.APIClient:
        if self._api is None:
            raise EngineUnavailable(f"{self.endpoint}: not connected")
        return self._api

    @property
    def _limit(self) -> float:
        return self._options.http_client_timeout or CALL_TIMEOUT

    def _client_arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        if not is_endpoint_set(self._options):
            arguments.update(kwargs_from_env())
        arguments.update(base_url=self.endpoint, timeout=self._limit)
        if self.endpoint.startswith("ssh://"):
            tunnel = self._resources.enter_context(SshTunnel(self.endpoint))
            arguments.update(base_url=f"unix://{tunnel.path}")
        elif self._options.tls is not None:
            arguments.update(tls=self._tls(self._options.tls))
        return arguments

    def _tls(self, options: ClientTLS) -> docker.tls.TLSConfig:
        if options.insecure_skip_verify:
            # It was asked for, so there is no need to repeat it at every call.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        client = (self._file(options.cert), self._file(options.key)) if options.cert else None
        return docker.tls.TLSConfig(
            ca_cert=self._file(options.ca) or None,
            client_cert=client,
            verify=not options.insecure_skip_verify,
        )

    def _file(self, value: str) -> str:
        """Return a file name for ``value``, which may be PEM text."""
        if "-----BEGIN" not in value:
            return value
        directory = self._resources.enter_context(tempfile.TemporaryDirectory(prefix="edgerouter-"))
        path = Path(directory) / "pem"
        path.write_text(value)
        return str(path)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Make one exception of the many that ``docker`` and ``requests`` have."""
        try:
            yield
        except docker.errors.APIError as error:
            raise EngineUnavailable(f"{self.endpoint}: {_said(error)}") from error
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            raise EngineUnavailable(f"{self.endpoint}: {_root(error)}{_remedy(error)}") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise EngineUnavailable(
                f"{self.endpoint}: the answer is not an engine's: {error!r}"
            ) from error


@contextmanager
def _permitted(calls: str) -> Iterator[None]:
    """Say which calls the engine, or a proxy in front of it, refuses."""
    try:
        yield
    except docker.errors.APIError as error:
        if error.status_code in {401, 403, 405}:
            raise EngineUnavailable(
                f"{_said(error)}; the socket is read-only for us:"
                f" a socket proxy has to allow {calls}"
            ) from error
        raise


def _summary(row: Mapping[str, Any]) -> Summary:
    """Return what a row says; an odd row says nothing, so that its container is inspected."""
    try:
        return summary_of(row)
    except (AttributeError, TypeError, ValueError):
        return Summary(row["Id"], "", "", "", ())


def is_endpoint_set(options: Options) -> bool:
    """Tell whether the user chose the endpoint, so that ``DOCKER_HOST`` has no say."""
    return "endpoint" in options.model_fields_set


def endpoint_of(options: Options, environment: Mapping[str, str]) -> str:
    """Return where the engine is."""
    chosen = None if is_endpoint_set(options) else environment.get("DOCKER_HOST")
    return chosen or options.endpoint


def _try_socket(endpoint: str) -> None:
    """Connect to a Unix socket once: the reason of a failure is plainer than the client's."""
    if endpoint.startswith("unix://"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(CALL_TIMEOUT)
            probe.connect(endpoint.removeprefix("unix://"))


def _said(error: docker.errors.APIError) -> str:
    return f"the engine answered {error.status_code}: {error.explanation or error}"


def _root(error: BaseException) -> str:
    """Return what the innermost cause says; the layers above repeat it at length."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _remedy(error: BaseException) -> str:
    causes = []
    cause: BaseException | None = error
    while cause is not None:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(c, PermissionError) for c in causes):
        return "; give the process the group of the socket, or run a socket proxy"
    if any(isinstance(c, FileNotFoundError) for c in causes):
        return "; is the socket mounted, and providers.docker.endpoint right?"
    if any(isinstance(c, ConnectionRefusedError) for c in causes):
        return "; is the engine running?"
    return ""
