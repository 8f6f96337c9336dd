from edgerouter.config.decode import decode
from edgerouter_docker.options import Options


def test_traefiks_names_without_case() -> None:
    raw = {
        "endpoint": "tcp://far:2376",
        "exposedbydefault": "false",
        "usebindportip": "true",
        "HTTPClientTimeout": "1m",
        "allowEmptyServices": "true",
        "defaultRule": "Host(`x`)",
        "tls": {"ca": "/ca.pem", "insecureskipverify": "true"},
    }
    decoded = decode(Options, raw, text=True)
    assert decoded.problems == []
    options = decoded.value
    assert options.http_client_timeout == 60
    assert options.use_bind_port_ip
    assert not options.exposed_by_default
    assert options.tls is not None
    assert options.tls.insecure_skip_verify


def test_defaults() -> None:
    assert Options().model_dump() == {
        "endpoint": "unix:///var/run/docker.sock",
        "exposedByDefault": True,
        "constraints": "",
        "defaultRule": "Host(`{{ normalize .Name }}`)",
        "network": "",
        "useBindPortIP": False,
        "watch": True,
        "allowEmptyServices": False,
        "hold": 0,
        "portWait": 0,
        "httpClientTimeout": 0,
        "username": "",
        "password": "",
        "tls": None,
        "compat": "",
    }


def test_constraints_are_checked_when_read() -> None:
    (problem,) = decode(Options, {"constraints": "Label(`a`"}, path="providers.docker").problems
    assert problem.path == "providers.docker.constraints"
    assert problem.message.startswith("column 10: ")


def test_the_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Options(password="hunter2"))
