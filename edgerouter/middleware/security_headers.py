"""The security part of ``headers``: allowed hosts, STS, CSP and their kin."""

import base64
import os

from edgerouter.http.message import Request, Response
from edgerouter.middleware.answer import http_error
from edgerouter.middleware.field_names import field_map, field_names, field_value
from edgerouter.middleware.headers_options import Options

_NONCE = b"$NONCE"


class Security:
    """Refuses foreign hosts and makes security headers; false when no option is set."""

    def __init__(self, options: Options) -> None:
        """Prepare.

        Raises:
            BuildError: A name or a value cannot be a header's.
        """
        self._hosts = frozenset(host.lower() for host in options.allowed_hosts)
        self._checks_host = bool(self._hosts) and not options.is_development
        self._host_headers = field_names(options.hosts_proxy_headers, "hostsProxyHeaders")
        proxied = field_map(options.ssl_proxy_headers, "sslProxyHeaders")
        self._secure_headers = [(name.lower(), value) for name, value in proxied.items()]
        self._always = _constant_fields(options)
        sts = _sts(options)
        public_key = field_value(options.public_key, "publicKey")
        self._when_secure: dict[bytes, bytes] = {}
        if not options.is_development:
            if sts and options.force_sts_header:
                self._always |= sts
            elif sts:
                self._when_secure |= sts
            if public_key:
                self._when_secure[b"Public-Key-Pins"] = public_key
        self._has_nonce = any(_NONCE in value for value in self._always.values())
        self._is_used = bool(self._checks_host or self._always or self._when_secure)

    def __bool__(self) -> bool:
        return self._is_used

    def refusal(self, request: Request) -> Response | None:
        """Return the answer to a request for a host that is not allowed, else None."""
        if not self._checks_host or self._host(request).lower() in self._hosts:
            return None
        request.exchange.error = "the host is not one of allowedHosts"
        return http_error(500, "Bad Host")

    def fields(self, request: Request) -> dict[bytes, bytes]:
        """Return the fields that an answer to ``request`` gets; not to be changed."""
        fields = self._always
        if self._when_secure and self._is_secure(request):
            fields = fields | self._when_secure
        if self._has_nonce:
            nonce = b"'nonce-" + base64.b64encode(os.urandom(16)) + b"'"
            fields = {name: value.replace(_NONCE, nonce) for name, value in fields.items()}
        return fields

    def _host(self, request: Request) -> str:
        for name in self._host_headers:
            value = request.headers.first(name)
            if value:
                return value.decode("latin-1")
        return request.authority

    def _is_secure(self, request: Request) -> bool:
        if request.scheme == "https":
            return True
        return any(request.headers.first(name) == value for name, value in self._secure_headers)


def _sts(options: Options) -> dict[bytes, bytes]:
    if not options.sts_seconds:
        return {}
    value = b"max-age=%d" % options.sts_seconds
    if options.sts_include_subdomains:
        value += b"; includeSubDomains"
    if options.sts_preload:
        value += b"; preload"
    return {b"Strict-Transport-Security": value}


def _constant_fields(options: Options) -> dict[bytes, bytes]:
    frame = options.custom_frame_options_value or ("DENY" if options.frame_deny else "")
    xss = options.custom_browser_xss_value or (
        "1; mode=block" if options.browser_xss_filter else ""
    )
    texts = (
        (b"X-Frame-Options", frame, "customFrameOptionsValue"),
        (b"X-Content-Type-Options", "nosniff" if options.content_type_nosniff else "", ""),
        (b"X-XSS-Protection", xss, "customBrowserXSSValue"),
        (b"Content-Security-Policy", options.content_security_policy, "contentSecurityPolicy"),
        (
            b"Content-Security-Policy-Report-Only",
            options.content_security_policy_report_only,
            "contentSecurityPolicyReportOnly",
        ),
        (b"Referrer-Policy", options.referrer_policy, "referrerPolicy"),
        (b"Permissions-Policy", options.permissions_policy, "permissionsPolicy"),
    )
    return {name: field_value(text, option) for name, text, option in texts if text}
