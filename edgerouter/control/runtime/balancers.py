"""What cannot work, or not as written, in the options of load balancers."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from edgerouter.config.dynamic.http import (
    ServerHealthCheck,
    ServersLoadBalancer,
    ServersTransport,
    Sticky,
)
from edgerouter.config.types import camel_case, suggestion
from edgerouter.control.runtime.model import missing
from edgerouter.http.urls import without_credentials
from edgerouter.services.sticky import SAME_SITE, cleaned

STRATEGIES = ("wrr", "p2c", "hrw", "leasttime", "leastconn", "iphash", "headerhash")
"""The last three are ours."""

SCHEMES = ("http", "https")

DEFAULT_TRANSPORT = "default@internal"

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.6.2."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CONTROL_OR_TAB = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_COOKIE_PATH = re.compile(r"[\x20-\x3a\x3c-\x7e]*")
"""RFC 6265, section 4.1.1: neither ``;`` nor control characters."""
_COOKIE_DOMAIN = re.compile(r"\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")

_NOT_NEGATIVE: Mapping[str, tuple[str, ...]] = {
    "": (
        "max_fails",
        "fail_timeout",
        "try_duration",
        "hold",
        "max_waiting",
        "max_connections",
        "max_queue",
        "queue_timeout",
        "slow_start",
    ),
    "passive_health_check": ("failure_window", "max_failed_attempts"),
    "outlier_detection": (
        "consecutive_5xx",
        "base_ejection_time",
        "max_ejection_percent",
        "interval",
        "success_rate_minimum_hosts",
        "success_rate_request_volume",
        "success_rate_stdev_factor",
    ),
}
"""Numbers of a load balancer and of its groups."""


def balancer_error(
    balancer: ServersLoadBalancer,
    transports: Mapping[str, ServersTransport],
    broken: Mapping[str, str],
) -> str:
    """Return why a load balancer cannot work, or an empty string.

    ``broken`` says why servers cannot be reached over TLS under some of the transports.
    """
    if balancer.strategy not in STRATEGIES:
        known = ", ".join(STRATEGIES)
        near = suggestion(balancer.strategy, STRATEGIES)
        return f'strategy: expected one of {known}; got "{balancer.strategy}"{near}'
    if balancer.strategy == "headerhash" and not balancer.hash_header:
        return "strategy headerhash needs hashHeader, the name of a header field"
    passive = {
        "passiveHealthCheck": balancer.passive_health_check is not None,
        "maxFails": bool(balancer.max_fails),
        "outlierDetection": balancer.outlier_detection is not None,
    }
    if sum(passive.values()) > 1:
        names = " and ".join(name for name, is_set in passive.items() if is_set)
        return f"{names} exclude each other; set one of them"
    if reason := _number_error(balancer):
        return reason
    if balancer.health_check is not None and (reason := check_error(balancer.health_check)):
        return reason
    transport = balancer.servers_transport
    if transport and transport not in transports:
        return missing("servers transport", transport, transports)
    reason = broken.get(transport or DEFAULT_TRANSPORT, "")
    if reason and any(server.url.lower().startswith("https:") for server in balancer.servers):
        option = f'the servers transport "{transport}"' if transport else "serversTransport"
        return f"{option} cannot be used for https:// servers: {reason}"
    return ""


def _number_error(balancer: ServersLoadBalancer) -> str:
    for group, names in _NOT_NEGATIVE.items():
        options: BaseModel | None = getattr(balancer, group) if group else balancer
        for name in names if options is not None else ():
            value: Any = getattr(options, name)
            if value is not None and value < 0:
                option = ".".join(camel_case(part) for part in (group, name) if part)
                return f"{option}: expected 0 or more; got {value:g}"
    outliers = balancer.outlier_detection
    if outliers is not None and outliers.max_ejection_percent > 100:
        percent = outliers.max_ejection_percent
        return f"outlierDetection.maxEjectionPercent: expected 0 to 100; got {percent}"
    return ""


def balancer_warnings(balancer: ServersLoadBalancer) -> Iterator[str]:
    """Say what of a load balancer does not work as it seems to be meant."""
    yield from sticky_warnings(balancer.sticky)
    check = balancer.health_check
    for name in ("interval", "unhealthy_interval", "timeout") if check is not None else ():
        seconds = getattr(check, name)
        if seconds is not None and seconds <= 0:
            option = f"healthCheck.{camel_case(name)}"
            yield f"{option}: {seconds:g} is taken for the default; write a time such as 10s"
    servers = balancer.servers
    yield from weight_warnings("servers", [server.weight for server in servers])
    for url, count in Counter(server.url for server in servers).items():
        if count > 1:
            yield f'the server "{url}" is there {count} times and gets so many shares; name it once'
    for server in servers:
        if not url_error(server.url):
            parts = urlsplit(server.url)
            if "@" in parts.netloc:
                host = parts.netloc.rpartition("@")[2]
                yield (
                    f"user and password in the URL of the server {host} are not sent; leave them"
                    " out and set the header Authorization with the middleware headers"
                )
            if parts.query or parts.fragment:
                yield f'the "?" or "#" part of "{server.url}" is not used; leave it out'


def weight_warnings(what: str, weights: Sequence[int | None]) -> Iterator[str]:
    """Say which weights leave servers or services without requests."""
    for index, weight in enumerate(weights):
        if weight is not None and weight < 0:
            yield f"{what}[{index}].weight: {weight} is taken for 0: it gets no requests"
    if weights and all(weight is not None and weight <= 0 for weight in weights):
        yield f"{what}: all weights are 0, so every request gets 503; set one to 1 or more"


def sticky_error(sticky: Sticky | None) -> str:
    """Return why a cookie cannot be set, or an empty string."""
    cookie = sticky.cookie if sticky is not None else None
    if cookie is None:
        return ""
    if cookie.same_site and cookie.same_site.lower() not in SAME_SITE:
        near = suggestion(cookie.same_site, SAME_SITE)
        known = ", ".join(SAME_SITE)
        return f"sticky.cookie.sameSite: expected one of {known}; got {cookie.same_site!r}{near}"
    if not _COOKIE_PATH.fullmatch(cookie.path):
        return f'sticky.cookie.path: {cookie.path!r} is no path; write ASCII without ";"'
    if cookie.domain and not _COOKIE_DOMAIN.fullmatch(cookie.domain):
        return f"sticky.cookie.domain: {cookie.domain!r} is no domain such as example.com"
    return ""


def sticky_warnings(sticky: Sticky | None) -> Iterator[str]:
    """Say what browsers or we make of a cookie's options."""
    cookie = sticky.cookie if sticky is not None else None
    if cookie is None:
        return
    if cookie.name != (name := cleaned(cookie.name)):
        yield f'sticky.cookie.name: {cookie.name!r} is no token, "{name}" is used; write that'
    if cookie.same_site.lower() == "none" and not cookie.secure:
        yield "sticky.cookie.sameSite: none is refused by browsers without sticky.cookie.secure"


def url_error(url: str) -> str:
    """Return why a server's URL cannot be used, or an empty string."""
    shown = without_credentials(url)
    if _CONTROL_OR_TAB.search(url):
        return f"the server URL {shown!r} holds a control character"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        reason = "its port is no number" if "@" in url else error  # It may be part of a password.
        return f'the server URL "{shown}" cannot be parsed: {reason}'
    if parts.scheme == "h2c":
        return f'"{shown}" asks for HTTP/2, which is not spoken to servers yet; write http://'
    if _BAD_ESCAPE.search(parts.path):
        return f'the path of "{shown}" has a "%" without two hexadecimal digits; write %25'
    spaced = " " in parts.netloc or url.startswith(" ")
    if parts.scheme not in SCHEMES or not parts.hostname or port == 0 or spaced:
        return f'"{shown}" is not a server URL such as http://10.0.0.2:8080'
    return ""


def check_error(check: ServerHealthCheck) -> str:
    """Return why an active health check cannot work, or an empty string."""
    if check.mode not in ("", "http"):
        why = f'expected http; got "{check.mode}"'
        if check.mode == "grpc":
            why = "gRPC checks need HTTP/2, which is not spoken to servers yet"
        return f"healthCheck.mode: {why}"
    if check.scheme not in ("", "http", "https"):
        return f'healthCheck.scheme: expected http or https; got "{check.scheme}"'
    if not _TOKEN.fullmatch(check.method or "GET"):
        return f"healthCheck.method: {check.method!r} is no method"
    if _CONTROL_OR_TAB.search(check.path) or _BAD_ESCAPE.search(check.path):
        return f"healthCheck.path: {check.path!r} is no path such as /health"
    if _CONTROL.search(check.hostname) or " " in check.hostname:
        return f"healthCheck.hostname: {check.hostname!r} is no host name"
    for name, value in check.headers.items():
        if not _TOKEN.fullmatch(name) or _CONTROL.search(value):
            return f"healthCheck.headers: {name!r}: {value!r} is no header field"
    for name, number, least, most in (
        ("port", check.port, 1, 65535),
        ("status", check.status, 100, 599),
    ):
        if number and not least <= number <= most:
            return f"healthCheck.{name}: expected {least} to {most}; got {number}"
    return ""
