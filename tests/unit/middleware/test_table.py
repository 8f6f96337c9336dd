"""The table of middlewares, and Traefik's names of all their options."""

import dataclasses
import json
from pathlib import Path

import pytest

from edgerouter.config.decode import decode
from edgerouter.middleware import TABLE, builder_of, canonical_name, options_from, options_of

TRAEFIK = {
    "addPrefix": "prefix",
    "basicAuth": "users usersFile realm removeHeader headerField",
    "buffering": "maxRequestBodyBytes memRequestBodyBytes maxResponseBodyBytes"
    " memResponseBodyBytes retryExpression",
    "chain": "middlewares",
    "circuitBreaker": "expression checkPeriod fallbackDuration recoveryDuration responseCode",
    "compress": "excludedContentTypes includedContentTypes minResponseBodyBytes encodings"
    " defaultEncoding",
    "contentType": "autoDetect",
    "digestAuth": "users usersFile realm removeHeader headerField",
    "encodedCharacters": "allowEncodedSlash allowEncodedBackSlash allowEncodedNullCharacter"
    " allowEncodedSemicolon allowEncodedPercent allowEncodedQuestionMark allowEncodedHash",
    "errors": "status statusRewrites service query errorRequestHeaders",
    "forwardAuth": "address tls trustForwardHeader authResponseHeaders authResponseHeadersRegex"
    " authRequestHeaders maxResponseBodySize addAuthCookiesToResponse headerField forwardBody"
    " maxBodySize preserveLocationHeader preserveRequestMethod authSigninURL",
    "grpcWeb": "allowOrigins",
    "headers": "customRequestHeaders customResponseHeaders accessControlAllowCredentials"
    " accessControlAllowHeaders accessControlAllowMethods accessControlAllowOriginList"
    " accessControlAllowOriginListRegex accessControlExposeHeaders accessControlMaxAge"
    " addVaryHeader allowedHosts hostsProxyHeaders sslProxyHeaders stsSeconds"
    " stsIncludeSubdomains stsPreload forceSTSHeader frameDeny customFrameOptionsValue"
    " contentTypeNosniff browserXssFilter customBrowserXSSValue contentSecurityPolicy"
    " contentSecurityPolicyReportOnly publicKey referrerPolicy permissionsPolicy isDevelopment"
    " featurePolicy sslRedirect sslTemporaryRedirect sslHost sslForceHost",
    "inFlightReq": "amount sourceCriterion",
    "ipAllowList": "sourceRange ipStrategy rejectStatusCode",
    "ipWhiteList": "sourceRange ipStrategy",
    "passTLSClientCert": "pem info",
    "rateLimit": "average period burst sourceCriterion redis",
    "redirectRegex": "regex replacement permanent",
    "redirectScheme": "scheme port permanent",
    "replacePath": "path",
    "replacePathRegex": "regex replacement",
    "retry": "attempts timeout initialInterval maxRequestBodyBytes status"
    " disableRetryOnNetworkError retryNonIdempotentMethod",
    "stripPrefix": "prefixes forceSlash",
    "stripPrefixRegex": "regex",
}

OWN_OPTIONS = {
    "forwardAuth": "cache",
    "rateLimit": "delay noDelay dryRun headers shared statusCode",
}
"""Options that Traefik does not know."""
OWN = {
    "bandwidth": "rate after",
    "errorPages": "status page pages contentType",
    "maintenance": "enabled page contentType status retryAfter allowedIPs",
    "realIp": "trusted header",
    "requestId": "header inResponse",
    "via": "name inRequest inResponse",
}
"""Middlewares that Traefik does not know."""

KNOWN = {
    name: f"{options} {OWN_OPTIONS.get(name, '')}" for name, options in (TRAEFIK | OWN).items()
}


def test_every_middleware_of_traefik_is_in_the_table() -> None:
    assert set(TABLE) == set(KNOWN)


@pytest.mark.parametrize("name", TABLE)
def test_options_have_traefiks_names(name: str) -> None:
    options = options_of(name)
    names = {
        field.metadata.get("alias") or _camel(field.name) for field in dataclasses.fields(options)
    }
    assert names == set(KNOWN[name].split())
    assert options() == options()
    assert options.__dataclass_params__.frozen
    assert hasattr(options, "__slots__")


@pytest.mark.parametrize("name", TABLE)
def test_options_survive_the_way_to_a_worker(name: str) -> None:
    options = decode(options_of(name), {}).value
    assert options_from(name, json.loads(json.dumps(dataclasses.asdict(options)))) == options


def test_nested_options_survive_as_well() -> None:
    raw = {
        "sourceCriterion": {"ipStrategy": {"excludedIPs": "a,b", "depth": "2"}},
        "redis": {"tls": {"ca": "x"}, "readTimeout": "1s"},
        "period": "1m",
    }
    decoded = decode(options_of("rateLimit"), raw)
    assert decoded.problems == []
    assert decoded.value.source_criterion.ip_strategy.excluded_ips == ("a", "b")
    wire = json.loads(json.dumps(dataclasses.asdict(decoded.value)))
    assert options_from("rateLimit", wire) == decoded.value


def test_names_are_found_in_whatever_case() -> None:
    assert canonical_name("STRIPprefix") == "stripPrefix"
    assert canonical_name("stripPrefixes") is None


def test_what_is_served() -> None:
    assert builder_of("redirectScheme") is not None
    assert builder_of("chain") is None


def test_the_documentation_lists_every_option_and_says_what_is_served() -> None:
    page = (Path(__file__).parents[3] / "docs" / "middlewares.md").read_text()
    for name in TABLE:
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        written = {
            line.split("`")[1].partition(".")[0] for line in section.splitlines() if "`" in line
        }
        assert written == set(KNOWN[name].split())
        served = "yes" if name == "chain" or builder_of(name) else "not yet"
        assert f"| [{name}](#{name.lower()}) | {served} |" in page


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
