"""What routers say about TLS and what is wrong with it."""

from typing import Any

from edgerouter.config.labels import decode_mapping
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.runtime import RuntimeConfiguration, build_runtime


def runtime(
    *, strict: bool = False, generated: Any = None, **routers: dict[str, Any]
) -> RuntimeConfiguration:
    raw = {
        "http": {
            "routers": {
                name: {"service": "s", "entryPoints": ["web"], **router}
                for name, router in routers.items()
            },
            "services": {"s": {"loadBalancer": {"servers": [{"url": "http://10.0.0.1"}]}}},
        },
        "tls": {"options": {"o": {}, "p": {}}},
    }
    if generated is not None:
        raw["tls"]["stores"] = {"default": {"defaultGeneratedCert": generated}}
    decoded, found = decode_mapping(raw, "f.yml", "file")
    assert not found
    static = StaticConfiguration.model_validate(
        {
            "entryPoints": {"web": {"address": ":1"}, "other": {"address": ":2"}},
            "core": {"strictTLSOptions": strict},
            "certificatesResolvers": {"le": {"acme": {"email": "a@b.test"}}},
            "edgerouter": {
                "certificatesResolvers": {"intern": {"internal": {}}, "none": {"preflight": "off"}}
            },
        }
    )
    return build_runtime(static, {"file": decoded})


def test_a_router_with_tls_is_served_without_complaint() -> None:
    view = runtime(a={"rule": "Host(`a`)", "tls": {"options": "o"}})
    assert view.http.routers["a@file"].status == "enabled"
    assert view.diagnostics == ()


def test_references_that_lead_nowhere() -> None:
    view = runtime(
        a={"rule": "Host(`a`)", "tls": {"options": "oo"}},
        b={"rule": "Host(`b`)", "tls": {"certResolver": "letsencrypt"}},
        c={"rule": "PathPrefix(`/`)", "tls": {"options": "o"}},
        d={"rule": "Host(`d`)", "tls": {"certResolver": "none"}},
        e={"rule": "Host(`e`)", "tls": {"certResolver": "intern"}},
    )
    errors = {name: info.errors for name, info in view.http.routers.items() if info.errors}
    assert errors == {
        "a@file": [
            (
                'the TLS options "oo@file" does not exist; did you mean "o@file"?;'
                " TLS handshakes are refused"
            )
        ],
        "b@file": ['the certificate resolver "letsencrypt" does not exist'],
        "c@file": [
            (
                'the TLS options "o@file" have no effect, for the rule names no host;'
                " which options hold is decided by the name in the handshake"
            )
        ],
        "d@file": ['the certificate resolver "none" does not exist'],
    }
    assert {view.http.routers[name].status for name in errors} == {"warning"}
    assert len(view.diagnostics) == 4


def test_a_generated_default_certificate_needs_a_resolver_and_a_name() -> None:
    named = {"domain": {"main": "a.test"}}
    assert runtime(generated={"resolver": "le", **named}).diagnostics == ()
    assert runtime(generated=named).diagnostics == ()  # By the internal CA.
    (found,) = runtime(generated={"resolver": "lee", **named}).diagnostics
    assert str(found) == (
        "tls.stores.default.defaultGeneratedCert.resolver: the certificate resolver "
        '"lee" does not exist; did you mean "le"?'
    )
    (found,) = runtime(generated={"resolver": "le"}).diagnostics
    assert str(found).startswith("tls.stores.default.defaultGeneratedCert.domain.main: is missing")


def test_routers_that_disagree_about_a_host() -> None:
    routers = {
        "a": {"rule": "Host(`x`) && Path(`/1`)", "tls": {"options": "o"}},
        "b": {"rule": "Host(`x`)", "tls": {"options": "p"}},
        "elsewhere": {"rule": "Host(`x`)", "entryPoints": ["other"], "tls": {}},
    }
    view = runtime(**routers)
    assert view.http.routers["elsewhere@file"].status == "enabled"
    text = (
        'the host "x" has routers with different TLS options (o@file, p@file) on the entry'
        ' point "web", so {}; give all of them the same tls.options'
    )
    default = text.format("the default options hold for it")
    assert view.http.routers["a@file"].errors == [default]
    assert view.http.routers["b@file"].errors == [default]
    assert [str(each) for each in view.diagnostics] == [f"{default} (routers: a@file, b@file)"]
    refused = text.format("TLS handshakes for it are refused")
    assert runtime(strict=True, **routers).http.routers["a@file"].errors == [refused]
