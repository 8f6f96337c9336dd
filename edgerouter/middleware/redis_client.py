"""Connections to Redis: the options, and the client they come down to."""

import os
import re
import ssl
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgerouter.config.types import Duration
from edgerouter.http.urls import without_credentials
from edgerouter.middleware.base import BuildError
from edgerouter.middleware.client_tls import ClientTLS
from edgerouter.tls.trust import PARTIAL, STRICT

_PLACE = re.compile(r"([^\s/@]+):([0-9]{1,5})").fullmatch


@dataclass(frozen=True, slots=True)
class Redis:
    """Where buckets are shared."""

    endpoints: tuple[str, ...] = field(default=("localhost:6379",), metadata={"credentials": True})
    tls: ClientTLS | None = None
    username: str = ""
    password: str = field(default="", metadata={"secret": True})
    db: int = 0
    pool_size: int = 0
    """Connections of one worker; 0: ten for each CPU."""
    min_idle_conns: int = 0
    """Has no effect: connections are made when they are first needed."""
    max_active_conns: int = 0
    """Bounds ``poolSize``; 0: no bound."""
    read_timeout: Duration | None = 3.0
    write_timeout: Duration | None = 3.0
    dial_timeout: Duration | None = 5.0


def client_of(options: Redis) -> Any:
    """Return a client; connections are made by its first commands.

    Raises:
        BuildError: The package is missing, or an option cannot work.
    """
    try:
        # Here, because only few routers need it.
        from redis import asyncio as redis  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.exceptions import ConnectionError  # noqa: A004, PLC0415
    except ImportError as error:
        raise BuildError(
            "redis: the Python package redis is not installed;"
            ' install it with pip install "edgerouter[redis]", or remove this option'
        ) from error
    _check(options)
    places = [_place(text) for text in options.endpoints]
    if not places:
        raise BuildError("redis.endpoints: must not be empty; write localhost:6379 for example")
    size = options.pool_size or 10 * (os.cpu_count() or 1)
    if options.max_active_conns:
        size = min(size, options.max_active_conns)
    tls = _Tls(options.tls)
    common: dict[str, Any] = {
        # Once more at once, for a connection that Redis has closed meanwhile.
        "retry": Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
        "username": options.username or None,
        "password": options.password or None,
        "socket_timeout": _seconds(options.read_timeout, 3.0),
        "socket_connect_timeout": _seconds(options.dial_timeout, 5.0),
        **tls.settings,
    }
    if len(places) > 1:
        nodes = [redis.cluster.ClusterNode(host, port) for host, port in places]
        return tls.kept_by(redis.RedisCluster(startup_nodes=nodes, max_connections=size, **common))
    ((host, port),) = places
    secure = common.pop("ssl", False)
    pool = redis.BlockingConnectionPool(
        host=host,
        port=port,
        db=options.db,
        max_connections=size,
        timeout=_seconds(options.read_timeout, 3.0),
        connection_class=redis.SSLConnection if secure else redis.Connection,
        **common,
    )
    return tls.kept_by(redis.Redis.from_pool(pool))


def errors() -> tuple[type[Exception], ...]:
    """Return what a client raises when Redis does not answer, or with an error."""
    from redis.exceptions import RedisError  # noqa: PLC0415 - only where it is used.

    return (RedisError, OSError, TimeoutError)


def _check(options: Redis) -> None:
    for name, value in (
        ("db", options.db),
        ("poolSize", options.pool_size),
        ("maxActiveConns", options.max_active_conns),
    ):
        if value < 0:
            raise BuildError(f"redis.{name}: {value} is negative; write 0 or more")


def _seconds(timeout: float | None, default: float) -> float | None:
    """Return a time-out as Traefik's client takes it: 0 for the default, less for none."""
    if timeout is None or timeout < 0:
        return None
    return timeout or default


def _place(text: str) -> tuple[str, int]:
    found = _PLACE(text)
    if found is None or not 0 < int(found[2]) < 65536:
        shown = without_credentials(text)
        raise BuildError(f'redis.endpoints: "{shown}" is not host:port, such as localhost:6379')
    host, port = found.groups()
    return host.strip("[]"), int(port)


class _Tls:
    """The TLS settings of a client. It reads only files, so PEM text becomes files in memory."""

    def __init__(self, options: ClientTLS | None) -> None:
        self.settings: dict[str, Any] = {}
        self._descriptors: list[int] = []
        if options is None:
            return
        try:
            self._set(options)
        except BuildError:
            self._close()
            raise

    def kept_by(self, client: Any) -> Any:
        """Return ``client``, with which the files go: every new connection reads them."""
        weakref.finalize(client, self._close)
        return client

    def _close(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)

    def _set(self, options: ClientTLS) -> None:
        if bool(options.cert) != bool(options.key):
            raise BuildError("redis.tls: cert and key belong together; set both or none")
        settings = self.settings
        settings |= {
            "ssl": True,
            "ssl_include_verify_flags": [PARTIAL],
            "ssl_exclude_verify_flags": [STRICT],
        }
        if options.insecure_skip_verify:
            settings |= {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if options.ca:
            settings["ssl_ca_certs"] = self._file(options.ca, "ca")
            with _usable("redis.tls.ca"):
                context.load_verify_locations(settings["ssl_ca_certs"])
        if options.cert:
            settings["ssl_certfile"] = self._file(options.cert, "cert")
            settings["ssl_keyfile"] = self._file(options.key, "key")
            # An encrypted key must not ask for a password at a terminal.
            settings["ssl_password"] = ""
            with _usable("redis.tls.cert and key"):
                context.load_cert_chain(
                    settings["ssl_certfile"], settings["ssl_keyfile"], password=""
                )

    def _file(self, value: str, option: str) -> str:
        if value.lstrip().startswith("-----BEGIN"):
            descriptor = os.memfd_create("redis", os.MFD_CLOEXEC)
            self._descriptors.append(descriptor)
            os.write(descriptor, value.encode("utf-8", "replace"))
            return f"/proc/self/fd/{descriptor}"
        if not _is_file(value):
            shown = "" if option == "key" else f" {value[:200]}"  # It may be the key itself.
            raise BuildError(
                f"redis.tls.{option}: there is no file{shown}; give a file or PEM text"
            )
        return value


def _is_file(value: str) -> bool:
    try:
        return Path(value).is_file()
    except (OSError, ValueError):  # Text that is no path at all.
        return False


@contextmanager
def _usable(option: str) -> Iterator[None]:
    try:
        yield
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise BuildError(f"{option} cannot be used: {reason}") from error
