"""The matchers of rules by declared name; each lives in a module of its own."""

from edgerouter.routing.matchers import (
    client_ip,
    header,
    header_regexp,
    host,
    host_regexp,
    method,
    path,
    path_prefix,
    path_regexp,
    query,
    query_regexp,
    v2,
)
from edgerouter.routing.matchers.base import Matcher

MATCHERS: dict[str, Matcher] = {
    "ClientIP": client_ip.MATCHER,
    "Header": header.MATCHER,
    "HeaderRegexp": header_regexp.MATCHER,
    "Host": host.MATCHER,
    "HostRegexp": host_regexp.MATCHER,
    "Method": method.MATCHER,
    "Path": path.MATCHER,
    "PathPrefix": path_prefix.MATCHER,
    "PathRegexp": path_regexp.MATCHER,
    "Query": query.MATCHER,
    "QueryRegexp": query_regexp.MATCHER,
}

MATCHERS_V2: dict[str, Matcher] = v2.MATCHERS
"""The matchers of ``ruleSyntax: v2``."""
