"""Middlewares about who asks and about headers: each has a host of its own name."""

import hashlib
from typing import Any

import bcrypt

SHA = "sha:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="
MD5 = "md5:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"
BCRYPT = "bcrypt:" + bcrypt.hashpw(b"test", bcrypt.gensalt(4)).decode()
_HA1 = hashlib.md5(b"bob:traefik:test", usedforsecurity=False).hexdigest()

MIDDLEWARES: dict[str, dict[str, Any]] = {
    "ba": {"basicAuth": {"users": [SHA, MD5, BCRYPT, "plain:test"]}},
    "ba-options": {
        "basicAuth": {"users": [MD5], "realm": "a b", "removeHeader": True, "headerField": "X-User"}
    },
    "ba-none": {"basicAuth": {"realm": "x"}},
    "ba-bad": {"basicAuth": {"users": ["bob"]}},
    "ba-colons": {"basicAuth": {"users": ["bob:a:b"]}},
    "ba-file": {"basicAuth": {"usersFile": "/nowhere/users"}},
    "ba-space": {"basicAuth": {"users": [f" {SHA} ", BCRYPT.replace("$2b$", "$2x$")]}},
    "da": {"digestAuth": {"users": [f"bob:traefik:{_HA1}"]}},
    "da-bad": {"digestAuth": {"users": ["bob:x"]}},
    "ip": {"ipAllowList": {"sourceRange": ["127.0.0.1"]}},
    "ip-net": {"ipAllowList": {"sourceRange": ["10.0.0.0/8", "127.0.0.0/8"]}},
    "ip-other": {"ipAllowList": {"sourceRange": ["10.0.0.0/8"]}},
    "ip-status": {"ipAllowList": {"sourceRange": ["10.0.0.0/8"], "rejectStatusCode": 404}},
    "ip-badstatus": {"ipAllowList": {"sourceRange": ["10.0.0.0/8"], "rejectStatusCode": 999}},
    "ip-bad": {"ipAllowList": {"sourceRange": ["x"]}},
    "ip-none": {"ipAllowList": {"rejectStatusCode": 403}},
    "ip-depth": {"ipAllowList": {"sourceRange": ["10.0.0.1"], "ipStrategy": {"depth": 2}}},
    "ip-excluded": {
        "ipAllowList": {
            "sourceRange": ["10.0.0.1"],
            "ipStrategy": {"excludedIPs": ["192.168.0.0/16"]},
        }
    },
    "ip-subnet": {
        "ipAllowList": {
            "sourceRange": ["2001:db8::/64"],
            "ipStrategy": {"depth": 1, "ipv6Subnet": 64},
        }
    },
    "ip-mapped": {"ipAllowList": {"sourceRange": ["::ffff:127.0.0.0/104"]}},
    "ip-zone": {"ipAllowList": {"sourceRange": ["fe80::1%eth0"]}},
    "ip-port": {"ipAllowList": {"sourceRange": ["10.0.0.1"], "ipStrategy": {"depth": 1}}},
    "ip-white": {"ipWhiteList": {"sourceRange": ["10.0.0.0/8"]}},
    "enc": {"encodedCharacters": {"allowEncodedSlash": True, "allowEncodedHash": True}},
    "ct": {"contentType": {}},
    "h": {
        "headers": {
            "customRequestHeaders": {"X-New": "1", "X-Old": "", "X-Both": "new"},
            "customResponseHeaders": {"X-Resp": "2", "X-Gone": "", "server": "mine"},
        }
    },
    "h-host": {"headers": {"customRequestHeaders": {"Host": "other.test"}}},
    "h-host-idn": {"headers": {"customRequestHeaders": {"Host": "é.test:80"}}},
    "h-host-empty": {"headers": {"customRequestHeaders": {"Host": ""}}},
    "h-xff": {"headers": {"customRequestHeaders": {"X-Forwarded-For": ""}}},
    "h-xff-set": {"headers": {"customRequestHeaders": {"X-Forwarded-For": "1.2.3.4"}}},
    "h-proto": {"headers": {"customRequestHeaders": {"X-Forwarded-Proto": "https"}}},
    "h-none": {"headers": {"frameDeny": False}},
    "h-sec": {
        "headers": {
            "frameDeny": True,
            "contentTypeNosniff": True,
            "browserXssFilter": True,
            "contentSecurityPolicy": "default-src 'self'",
            "contentSecurityPolicyReportOnly": "default-src 'none'",
            "referrerPolicy": "no-referrer",
            "permissionsPolicy": "camera=()",
            "publicKey": "pin",
            "stsSeconds": 60,
        }
    },
    "h-sec-custom": {
        "headers": {
            "frameDeny": True,
            "customFrameOptionsValue": "SAMEORIGIN",
            "browserXssFilter": True,
            "customBrowserXSSValue": "0",
            "customResponseHeaders": {"X-Frame-Options": ""},
        }
    },
    "h-sts": {
        "headers": {
            "stsSeconds": 60,
            "stsIncludeSubdomains": True,
            "stsPreload": True,
            "forceSTSHeader": True,
        }
    },
    "h-sts-proxy": {
        "headers": {
            "stsSeconds": 60,
            "sslProxyHeaders": {"X-Forwarded-Proto": "https", "X-Secure": "on"},
            "publicKey": "pin",
        }
    },
    "h-dev": {
        "headers": {
            "isDevelopment": True,
            "stsSeconds": 60,
            "forceSTSHeader": True,
            "allowedHosts": ["x.test"],
            "frameDeny": True,
        }
    },
    "h-hosts": {
        "headers": {"allowedHosts": ["H-HOSTS.n.test"], "customResponseHeaders": {"X-Resp": "2"}}
    },
    "h-badhost": {
        "headers": {
            "allowedHosts": ["x.test"],
            "customResponseHeaders": {"X-Resp": "2"},
            "frameDeny": True,
        }
    },
    "h-hostsproxy": {
        "headers": {"allowedHosts": ["x.test"], "hostsProxyHeaders": ["X-Host", "X-Other"]}
    },
    "h-ssl": {"headers": {"sslRedirect": True}},
    "h-ssl-host": {
        "headers": {
            "sslRedirect": True,
            "sslHost": "x.test",
            "sslForceHost": True,
            "sslTemporaryRedirect": True,
            "frameDeny": True,
        }
    },
    "h-feature": {"headers": {"featurePolicy": "x", "frameDeny": True}},
    "c": {
        "headers": {
            "accessControlAllowOriginList": ["https://a.test", "https://b.test"],
            "accessControlAllowMethods": ["GET", "PUT"],
            "accessControlAllowHeaders": ["X-A", "X-B"],
            "accessControlMaxAge": 100,
            "addVaryHeader": True,
            "customResponseHeaders": {"X-Resp": "2"},
        }
    },
    "c-any": {"headers": {"accessControlAllowOriginList": ["*"]}},
    "c-any-cred": {
        "headers": {
            "accessControlAllowOriginList": ["*"],
            "accessControlAllowCredentials": True,
            "accessControlAllowMethods": ["*"],
            "accessControlAllowHeaders": ["*"],
            "accessControlExposeHeaders": ["*"],
        }
    },
    "c-star": {
        "headers": {
            "accessControlAllowOriginList": ["*"],
            "accessControlAllowMethods": ["*"],
            "accessControlAllowHeaders": ["*"],
            "accessControlExposeHeaders": ["*"],
        }
    },
    "c-regex": {
        "headers": {
            "accessControlAllowOriginListRegex": ["^https://[a-z]+\\.a\\.test$", "b"],
            "accessControlExposeHeaders": ["X-A", "X-B"],
        }
    },
    "c-badregex": {"headers": {"accessControlAllowOriginListRegex": ["("]}},
    "c-vary": {"headers": {"addVaryHeader": True}},
    "c-age": {"headers": {"accessControlMaxAge": -5}},
    "pass": {"passTLSClientCert": {"pem": True, "info": {"serialNumber": True}}},
}

FORWARD_AUTH: dict[str, dict[str, Any]] = {
    "fa": {},
    "fa-path": {"address": "/check/it?x=y"},
    "fa-trust": {"trustForwardHeader": True},
    "fa-distrust": {"trustForwardHeader": False},
    "fa-some": {"authRequestHeaders": ["X-Echo", "User-Agent"]},
    "fa-some-trust": {"authRequestHeaders": ["X-Echo", "User-Agent"], "trustForwardHeader": True},
    "fa-response": {"authResponseHeaders": ["X-Auth-User", "x-auth-two"]},
    "fa-regex": {"authResponseHeadersRegex": "^X-Auth-"},
    "fa-badregex": {"authResponseHeadersRegex": "("},
    "fa-location": {"preserveLocationHeader": True},
    "fa-method": {"preserveRequestMethod": True},
    "fa-body": {"forwardBody": True, "maxBodySize": 8},
    "fa-answer": {"maxResponseBodySize": 10},
    "fa-cookies": {"addAuthCookiesToResponse": ["session"]},
    "fa-signin": {"authSigninURL": "https://login.test/?a=b&c=d"},
    "fa-signin-path": {"authSigninURL": "/login"},
    "fa-field": {"headerField": "X-Auth-User"},
    "fa-user": {"address": "//us%40er:pa%20ss@"},
}
"""Options of ``forwardAuth``; the address is that of an upstream unless it says otherwise."""


def routers() -> dict[str, dict[str, Any]]:
    """Return a router for every middleware."""
    failing = {
        "rule": "Host(`h-502.n.test`)",
        "middlewares": ["n-h", "n-c", "n-h-sec"],
        "service": "refused",
    }
    granting = {
        "rule": "Host(`fa-502.n.test`)",
        "middlewares": ["n-fa-cookies"],
        "service": "refused",
    }
    return {
        "n-h-502": failing,
        "n-fa-502": granting,
    } | {
        f"n-{name}": {
            "rule": f"Host(`{name}.n.test`)",
            "middlewares": [f"n-{name}"],
            "service": "api",
        }
        for name in (*MIDDLEWARES, *FORWARD_AUTH, "fa-down")
    }


def middlewares(auth: str, down: str) -> dict[str, dict[str, Any]]:
    """Return the middlewares under the names that the routers use.

    ``auth`` and ``down`` are the URLs of a server that answers and of none.
    """
    made: dict[str, dict[str, Any]] = {f"n-{name}": each for name, each in MIDDLEWARES.items()}
    for name, options in FORWARD_AUTH.items():
        address = auth + str(options.get("address", ""))
        if name == "fa-user":
            address = auth.replace("//", options["address"])
        made[f"n-{name}"] = {"forwardAuth": {**options, "address": address}}
    made["n-fa-down"] = {"forwardAuth": {"address": down}}
    return made
