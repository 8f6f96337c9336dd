"""lego's providers and variables become the library's."""

import json
from pathlib import Path

import pytest

from edgerouter.acme.dns import Propagation, ZoneAccount, make_dns_solver
from edgerouter.acme.dns_accounts import (
    LibraryAccount,
    ProgramAccount,
    RequestAccount,
    UpdateAccount,
    _library_provider,
    host_and_port,
    make_account,
)
from edgerouter.acme.dns_environment import read_environment
from edgerouter.acme.dns_providers import PROVIDERS, library_options
from edgerouter.acme.dns_timing import Timing
from edgerouter.acme.keys import new_key, to_pem
from edgerouter.config.static.acme import DNSChallenge

NOT_INSTALLED = {"oraclecloud", "tencentcloud"}
"""Their packages are larger than everything else together."""


def options(provider: str, **environ: str) -> dict[str, str]:
    return library_options(provider, PROVIDERS[provider], environ)


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_the_library_has_the_provider_and_its_options(name: str) -> None:
    """Every option of a row is one the library's module speaks of."""
    row = PROVIDERS[name]
    module = _library_provider(row.library).__module__
    source = Path(__import__(module, fromlist=["x"]).__file__).read_text()
    for option in [*row.options, *row.fixed]:
        assert option in source or option.replace("_", "-") in source, option


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_the_library_can_use_the_account(name: str, tmp_path: Path) -> None:
    """Packages that only one provider needs are missed when its class is used, not before."""
    key = to_pem(new_key("RSA2048" if name == "transip" else "EC256"))
    service = {"client_email": "a@b", "private_key": key, "private_key_id": "1", "project_id": "p"}
    (tmp_path / "file").write_text(json.dumps(service) if name == "gcloud" else key)
    row = PROVIDERS[name]
    environ = {names[0]: str(tmp_path / "file") for names in row.options.values()}
    if name in NOT_INSTALLED:
        with pytest.raises(ValueError, match=rf'pip install "dns-lexicon\[{row.library}\]"'):
            make_account(name, environ)
        return
    account = make_account(name, environ)
    assert isinstance(account, LibraryAccount)
    account.provider_for("example.com")


def test_a_provider_whose_packages_are_not_installed_is_refused_at_once() -> None:
    with pytest.raises(
        ValueError, match=r'"gransy" needs Python packages .* pip install "dns-lexicon\[gransy\]"'
    ):
        make_account("gransy", {"LEXICON_GRANSY_AUTH_USERNAME": "u"})


def test_the_times_of_a_provider_are_legos_and_can_be_changed(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    netcup = {f"NETCUP_{name}": "x" for name in ("CUSTOMER_NUMBER", "API_KEY", "API_PASSWORD")}
    assert make_account("netcup", netcup).timing == Timing(patience=900, interval=30)
    (tmp_path / "ttl").write_text("600\n")
    changed = {
        "NETCUP_PROPAGATION_TIMEOUT": "1800",
        "NETCUP_POLLING_INTERVAL": "1m",
        "NETCUP_TTL_FILE": str(tmp_path / "ttl"),
    }
    assert make_account("netcup", netcup | changed).timing == Timing(600, 1800, 60)
    other = {"CF_DNS_API_TOKEN": "t", "CLOUDFLARE_TTL": "300", "CF_POLLING_INTERVAL": "5"}
    assert make_account("cloudflare", other).timing == Timing(ttl=300, interval=5)
    keys = {"INTERNET_BS_API_KEY": "x", "INTERNET_BS_PASSWORD": "x", "INTERNET_BS_TTL": "7200"}
    assert make_account("internetbs", keys).timing == Timing(ttl=7200)
    program = {"EXEC_PATH": "/x", "EXEC_PROPAGATION_TIMEOUT": "300"}
    assert make_account("exec", program).timing == Timing(patience=300)

    assert caplog.records == []
    wrong = make_account("exec", {"EXEC_PATH": "/x", "EXEC_POLLING_INTERVAL": "often"})
    assert wrong.timing == Timing()
    (record,) = caplog.records
    assert record.__dict__["fields"]["variable"] == "EXEC_POLLING_INTERVAL=often"


def test_variables_become_options() -> None:
    assert options("cloudflare", CF_DNS_API_TOKEN="t") == {"auth_token": "t"}
    assert options("cloudflare", CLOUDFLARE_EMAIL="e", CLOUDFLARE_API_KEY="k") == {
        "auth_username": "e",
        "auth_token": "k",
    }
    assert options("cloudflare", CF_API_EMAIL="e", CF_DNS_API_TOKEN="t") == {"auth_token": "t"}
    assert options("gandiv5", GANDIV5_API_KEY="k") == {"auth_token": "k", "api_protocol": "rest"}
    assert options("gcloud", GCE_SERVICE_ACCOUNT_FILE="/x.json") == {
        "auth_service_account_info": "file::/x.json"
    }
    assert options("gcloud", GOOGLE_APPLICATION_CREDENTIALS="/y.json") == {
        "auth_service_account_info": "file::/y.json"
    }


def test_amazon_without_keys_or_with_a_session_is_left_to_boto3() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_HOSTED_ZONE_ID": "z"}
    zone = {"zone_id": "z"}
    assert options("route53", **keys) == {"auth_access_key": "k", "auth_access_secret": "s", **zone}
    assert options("route53", **keys, AWS_SESSION_TOKEN="t") == zone
    assert options("route53", AWS_PROFILE="dns") == {}


def test_values_from_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t\n")
    assert options("desec", DESEC_TOKEN_FILE=str(tmp_path / "token")) == {"auth_token": "t"}
    with pytest.raises(ValueError, match=r"DESEC_TOKEN_FILE=/nowhere: No such file"):
        options("desec", DESEC_TOKEN_FILE="/nowhere")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match=r'"godaddy" needs .* variables GODADDY_API_KEY, GODADDY_'):
        make_account("godaddy", {})
    with pytest.raises(ValueError, match="CF_DNS_API_TOKEN or CLOUDFLARE_DNS_API_TOKEN or"):
        make_account("cloudflare", {})
    with pytest.raises(ValueError, match="LEXICON_DNSPOD_AUTH_USERNAME, LEXICON_DNSPOD_AUTH_TOKEN"):
        make_account("dnspod", {"DNSPOD_API_KEY": "1,2"})
    for provider, name in (
        ("rfc2136", "RFC2136_NAMESERVER"),
        ("exec", "EXEC_PATH"),
        ("httpreq", "HTTPREQ_ENDPOINT"),
    ):
        with pytest.raises(ValueError, match=name):
            make_account(provider, {})


def test_kinds_of_accounts() -> None:
    assert isinstance(make_account("exec", {"EXEC_PATH": "/x"}), ProgramAccount)
    assert isinstance(make_account("httpreq", {"HTTPREQ_ENDPOINT": "http://x"}), RequestAccount)
    assert isinstance(make_account("rfc2136", {"RFC2136_NAMESERVER": "::1"}), UpdateAccount)
    assert isinstance(make_account("dinahosting", {"LEXICON_DINAHOSTING_X": "1"}), LibraryAccount)


def test_the_raw_modes_of_lego_are_refused() -> None:
    for provider, environ in (
        ("exec", {"EXEC_PATH": "/x", "EXEC_MODE": "RAW"}),
        ("httpreq", {"HTTPREQ_ENDPOINT": "http://x", "HTTPREQ_MODE": "raw"}),
    ):
        with pytest.raises(ValueError, match="_MODE=RAW is not supported; leave it out"):
            make_account(provider, environ)


def test_unknown_providers() -> None:
    with pytest.raises(ValueError, match='"cloudfare" is not known; did you mean "cloudflare"'):
        make_account("cloudfare", {})


def test_wrong_keys_of_dynamic_updates() -> None:
    environ = {"RFC2136_NAMESERVER": "a", "RFC2136_TSIG_KEY": "k", "RFC2136_TSIG_SECRET": "cw=="}
    with pytest.raises(ValueError, match="RFC2136_TSIG_ALGORITHM=md4 is not known; use one of"):
        make_account("rfc2136", {**environ, "RFC2136_TSIG_ALGORITHM": "md4"})
    with pytest.raises(ValueError, match="RFC2136_TSIG_SECRET is not base64"):
        make_account("rfc2136", {**environ, "RFC2136_TSIG_SECRET": "abc"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.1.1.1", ("1.1.1.1", 53)),
        ("1.1.1.1:5353", ("1.1.1.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
        ("ns.example:53", ("ns.example", 53)),
    ],
)
def test_name_servers(text: str, expected: tuple[str, int]) -> None:
    assert host_and_port(text) == expected


def test_environment_files(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# a comment\nexport A=1\nB = 'two words'\n\nC=x=y\n")
    found = read_environment("x", str(file), {"A": "0", "D": "3"})
    assert found == {"A": "1", "B": "two words", "C": "x=y", "D": "3"}
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(ValueError, match=r"x\.envFile: .*env, line 2: write NAME=value"):
        read_environment("x.envFile", str(file), {})


def test_the_options_of_a_resolver() -> None:
    environ = {"EXEC_PATH": "/x"}
    with pytest.raises(ValueError, match=r"dnsChallenge\.provider is missing"):
        make_dns_solver("dnsChallenge", DNSChallenge(), environ)
    wrong = DNSChallenge(provider="exec", resolvers=["1.1.1.1:x"])
    with pytest.raises(ValueError, match=r"dnsChallenge\.resolvers: .* the port is no number"):
        make_dns_solver("dnsChallenge", wrong, environ)
    old = DNSChallenge(provider="exec", delay_before_check=3, disable_propagation_check=True)
    solver = make_dns_solver("dnsChallenge", old, environ)
    assert solver._propagation == Propagation(delay=3, checks=False)


def test_the_closest_zone_counts() -> None:
    account = make_account("exec", {"EXEC_PATH": "/x"})
    assert ZoneAccount(account).length("a.org") == 0
    assert ZoneAccount(account, ("a.org",)).length("b.a.org") == 5
    assert ZoneAccount(account, ("a.org",)).length("ba.org") == -1
