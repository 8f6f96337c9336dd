"""The options of ``headers``, shared by its parts: custom fields, CORS and security."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    custom_request_headers: dict[str, str] = field(default_factory=dict, metadata={"fields": True})
    custom_response_headers: dict[str, str] = field(default_factory=dict, metadata={"fields": True})
    access_control_allow_credentials: bool = False
    access_control_allow_headers: tuple[str, ...] = ()
    access_control_allow_methods: tuple[str, ...] = ()
    access_control_allow_origin_list: tuple[str, ...] = ()
    access_control_allow_origin_list_regex: tuple[str, ...] = ()
    access_control_expose_headers: tuple[str, ...] = ()
    access_control_max_age: int | None = None
    """Seconds."""
    add_vary_header: bool = False
    allowed_hosts: tuple[str, ...] = ()
    hosts_proxy_headers: tuple[str, ...] = ()
    ssl_proxy_headers: dict[str, str] = field(default_factory=dict)
    sts_seconds: int = 0
    sts_include_subdomains: bool = False
    sts_preload: bool = False
    force_sts_header: bool = field(default=False, metadata={"alias": "forceSTSHeader"})
    frame_deny: bool = False
    custom_frame_options_value: str = ""
    content_type_nosniff: bool = False
    browser_xss_filter: bool = False
    custom_browser_xss_value: str = field(default="", metadata={"alias": "customBrowserXSSValue"})
    content_security_policy: str = ""
    content_security_policy_report_only: str = ""
    public_key: str = ""
    referrer_policy: str = ""
    permissions_policy: str = ""
    is_development: bool = False
    feature_policy: str = ""
    """Deprecated and without effect, as are all ``ssl`` options below."""
    ssl_redirect: bool = False
    ssl_temporary_redirect: bool = False
    ssl_host: str = ""
    ssl_force_host: bool = False
