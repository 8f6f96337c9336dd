"""Traefik's names of DNS providers and their environment variables, and what they are here.

Traefik uses the names of lego, edgerouter the library ``dns-lexicon``. One row per provider:
lego's name, the library's name, and for each of the library's options the variables that fill
it, the first that is set. A provider or variable that lego does not know keeps the library's
name: ``LEXICON_<PROVIDER>_<OPTION>``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from edgerouter.acme.dns_environment import variable
from edgerouter.acme.dns_timing import USUAL, Timing


@dataclass(frozen=True, slots=True)
class Row:
    """One provider."""

    library: str
    options: Mapping[str, tuple[str, ...]]
    """Variables by option of the library; the first that is set."""
    optional: frozenset[str] = frozenset()
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Options that always have this value."""
    unless: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Options that are left out when one of these variables is set."""
    formats: Mapping[str, str] = field(default_factory=dict)
    """How the library wants a value, ``{}`` being the variable's."""
    timing: Timing = USUAL
    """Of this provider, as lego has it."""
    prefixes: tuple[str, ...] = ()
    """Of the variables that change ``timing``."""


def _row(
    library: str,
    *required: str,
    optional: str = "",
    fixed: str = "",
    unless: str = "",
    formats: Mapping[str, str] | None = None,
    timing: Timing = USUAL,
    prefix: str = "",
) -> Row:
    """Read ``option=VARIABLE|OTHER`` texts; ``prefix`` where it is not a variable's first word."""
    options = _variables((*required, *optional.split()))
    extra = frozenset(text.split("=")[0] for text in optional.split())
    words = [name.partition("_")[0] for names in options.values() for name in names]
    return Row(
        library,
        options,
        extra,
        dict(text.split("=") for text in fixed.split()),
        _variables(unless.split()),
        formats or {},
        timing,
        (prefix,) if prefix else tuple(dict.fromkeys(words)),
    )


def _variables(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    pairs = (text.split("=") for text in texts)
    return {option: tuple(names.split("|")) for option, names in pairs}


_MINUTE, _HOUR = 60.0, 3600.0

_AZURE = _row(
    "azure",
    "auth_client_id=AZURE_CLIENT_ID",
    "auth_client_secret=AZURE_CLIENT_SECRET",
    "auth_tenant_id=AZURE_TENANT_ID",
    "auth_subscription_id=AZURE_SUBSCRIPTION_ID",
    "resource_group=AZURE_RESOURCE_GROUP",
)

PROVIDERS: Mapping[str, Row] = {
    "alidns": _row(
        "aliyun",
        "auth_key_id=ALICLOUD_ACCESS_KEY",
        "auth_secret=ALICLOUD_SECRET_KEY",
        timing=Timing(ttl=600),
    ),
    "arvancloud": _row("arvancloud", "auth_token=ARVANCLOUD_API_KEY", timing=Timing(ttl=600)),
    "auroradns": _row(
        "aurora",
        "auth_api_key=AURORA_API_KEY",
        "auth_secret_key=AURORA_SECRET",
        timing=Timing(ttl=300),
    ),
    "azure": _AZURE,
    "azuredns": _AZURE,
    "cloudflare": _row(
        "cloudflare",
        "auth_token=CF_DNS_API_TOKEN|CLOUDFLARE_DNS_API_TOKEN|CF_API_KEY|CLOUDFLARE_API_KEY",
        optional="auth_username=CF_API_EMAIL|CLOUDFLARE_EMAIL",
        # With an address the library takes a token for the key of the whole account.
        unless="auth_username=CF_DNS_API_TOKEN|CLOUDFLARE_DNS_API_TOKEN",
    ),
    "cloudns": _row(
        "cloudns",
        "auth_password=CLOUDNS_AUTH_PASSWORD",
        optional="auth_id=CLOUDNS_AUTH_ID auth_subid=CLOUDNS_SUB_AUTH_ID",
        timing=Timing(60, 3 * _MINUTE, 10),
    ),
    "conoha": _row(
        "conoha",
        "auth_username=CONOHA_API_USERNAME",
        "auth_password=CONOHA_API_PASSWORD",
        "auth_tenant_id=CONOHA_TENANT_ID",
        optional="auth_region=CONOHA_REGION",
    ),
    "constellix": _row(
        "constellix", "auth_username=CONSTELLIX_API_KEY", "auth_token=CONSTELLIX_SECRET_KEY"
    ),
    "desec": _row("desec", "auth_token=DESEC_TOKEN", timing=Timing(3600, interval=4)),
    "digitalocean": _row("digitalocean", "auth_token=DO_AUTH_TOKEN"),
    "directadmin": _row(
        "directadmin",
        "endpoint=DIRECTADMIN_API_URL",
        "auth_username=DIRECTADMIN_USERNAME",
        "auth_password=DIRECTADMIN_PASSWORD",
    ),
    "dnsimple": _row("dnsimple", "auth_token=DNSIMPLE_OAUTH_TOKEN"),
    "dnsmadeeasy": _row(
        "dnsmadeeasy", "auth_username=DNSMADEEASY_API_KEY", "auth_token=DNSMADEEASY_API_SECRET"
    ),
    "dreamhost": _row(
        "dreamhost", "auth_token=DREAMHOST_API_KEY", timing=Timing(patience=_HOUR, interval=60)
    ),
    "duckdns": _row("duckdns", "auth_token=DUCKDNS_TOKEN"),
    "dynu": _row("dynu", "auth_token=DYNU_API_KEY", timing=Timing(300, 3 * _MINUTE, 10)),
    "easydns": _row("easydns", "auth_username=EASYDNS_TOKEN", "auth_token=EASYDNS_KEY"),
    "exoscale": _row("exoscale", "auth_key=EXOSCALE_API_KEY", "auth_secret=EXOSCALE_API_SECRET"),
    "gandiv5": _row(
        "gandi",
        "auth_token=GANDIV5_PERSONAL_ACCESS_TOKEN|GANDIV5_API_KEY",
        fixed="api_protocol=rest",
        timing=Timing(300, 20 * _MINUTE, 20),
    ),
    "gcloud": _row(
        "googleclouddns",
        "auth_service_account_info=GCE_SERVICE_ACCOUNT_FILE|GOOGLE_APPLICATION_CREDENTIALS",
        formats={"auth_service_account_info": "file::{}"},
    ),
    "glesys": _row(
        "glesys",
        "auth_username=GLESYS_API_USER",
        "auth_token=GLESYS_API_KEY",
        timing=Timing(patience=20 * _MINUTE, interval=20),
    ),
    "godaddy": _row(
        "godaddy",
        "auth_key=GODADDY_API_KEY",
        "auth_secret=GODADDY_API_SECRET",
        timing=Timing(ttl=600),
    ),
    "hetzner": _row("hetzner", "auth_token=HETZNER_API_TOKEN|HETZNER_API_KEY"),
    "hostingde": _row("hostingde", "auth_token=HOSTINGDE_API_KEY"),
    "httpnet": _row("httpnet", "auth_token=HTTPNET_API_KEY"),
    "ibmcloud": _row(
        "softlayer", "auth_username=SOFTLAYER_USERNAME", "auth_api_key=SOFTLAYER_API_KEY"
    ),
    "infoblox": _row(
        "infoblox",
        "auth_user=INFOBLOX_USERNAME",
        "auth_psw=INFOBLOX_PASSWORD",
        "ib_host=INFOBLOX_HOST",
        optional="ib_view=INFOBLOX_VIEW|INFOBLOX_DNS_VIEW",
    ),
    "infomaniak": _row("infomaniak", "auth_token=INFOMANIAK_ACCESS_TOKEN"),
    "internetbs": _row(
        "internetbs",
        "auth_key=INTERNET_BS_API_KEY",
        "auth_password=INTERNET_BS_PASSWORD",
        timing=Timing(ttl=3600),
        prefix="INTERNET_BS",
    ),
    "inwx": _row(
        "inwx",
        "auth_username=INWX_USERNAME",
        "auth_password=INWX_PASSWORD",
        timing=Timing(300, 6 * _MINUTE),
    ),
    "ionos": _row("ionos", "api_key=IONOS_API_KEY", timing=Timing(300, 15 * _MINUTE)),
    "joker": _row("joker", "auth_token=JOKER_API_KEY"),
    "linode": _row("linode", "auth_token=LINODE_TOKEN", timing=Timing(300, interval=15)),
    "luadns": _row(
        "luadns",
        "auth_username=LUADNS_API_USERNAME",
        "auth_token=LUADNS_API_TOKEN",
        timing=Timing(ttl=300),
    ),
    "mythicbeasts": _row(
        "mythicbeasts",
        "auth_username=MYTHICBEASTS_USERNAME",
        "auth_password=MYTHICBEASTS_PASSWORD",
    ),
    "namecheap": _row(
        "namecheap",
        "auth_username=NAMECHEAP_API_USER",
        "auth_token=NAMECHEAP_API_KEY",
        optional="auth_client_ip=NAMECHEAP_CLIENT_IP",
        timing=Timing(patience=_HOUR, interval=15),
    ),
    "namedotcom": _row(
        "namecom",
        "auth_username=NAMECOM_USERNAME",
        "auth_token=NAMECOM_API_TOKEN",
        timing=Timing(300, 15 * _MINUTE, 20),
    ),
    "namesilo": _row("namesilo", "auth_token=NAMESILO_API_KEY", timing=Timing(3600, 15 * _MINUTE)),
    "nearlyfreespeech": _row(
        "nfsn",
        "auth_username=NEARLYFREESPEECH_LOGIN",
        "auth_token=NEARLYFREESPEECH_API_KEY",
        timing=Timing(ttl=3600),
    ),
    "netcup": _row(
        "netcup",
        "auth_customer_id=NETCUP_CUSTOMER_NUMBER",
        "auth_api_key=NETCUP_API_KEY",
        "auth_api_password=NETCUP_API_PASSWORD",
        timing=Timing(patience=15 * _MINUTE, interval=30),
    ),
    "njalla": _row("njalla", "auth_token=NJALLA_TOKEN", timing=Timing(ttl=300)),
    "ns1": _row("nsone", "auth_token=NS1_API_KEY"),
    "oraclecloud": _row(
        "oci",
        "auth_user=OCI_USER_OCID",
        "auth_tenancy=OCI_TENANCY_OCID",
        "auth_fingerprint=OCI_PUBKEY_FINGERPRINT",
        "auth_key_file=OCI_PRIVKEY_FILE",
        optional="auth_pass_phrase=OCI_PRIVKEY_PASS auth_region=OCI_REGION",
    ),
    "ovh": _row(
        "ovh",
        "auth_entrypoint=OVH_ENDPOINT",
        "auth_application_key=OVH_APPLICATION_KEY",
        "auth_application_secret=OVH_APPLICATION_SECRET",
        "auth_consumer_key=OVH_CONSUMER_KEY",
    ),
    "pdns": _row(
        "powerdns",
        "auth_token=PDNS_API_KEY",
        "pdns_server=PDNS_API_URL",
        optional="pdns_server_id=PDNS_SERVER_NAME",
    ),
    "plesk": _row(
        "plesk",
        "plesk_server=PLESK_SERVER_BASE_URL",
        "auth_username=PLESK_USERNAME",
        "auth_password=PLESK_PASSWORD",
    ),
    "porkbun": _row(
        "porkbun",
        "auth_key=PORKBUN_API_KEY",
        "auth_secret=PORKBUN_SECRET_API_KEY",
        timing=Timing(600, 10 * _MINUTE, 10),
    ),
    "rackspace": _row(
        "rackspace",
        "auth_username=RACKSPACE_USER",
        "auth_api_key=RACKSPACE_API_KEY",
        timing=Timing(ttl=300),
    ),
    "rcodezero": _row("rcodezero", "auth_token=RCODEZERO_API_TOKEN"),
    "regfish": _row("regfish", "auth_api_key=REGFISH_API_KEY"),
    "rimuhosting": _row(
        "zonomi",
        "auth_token=RIMUHOSTING_API_KEY",
        fixed="auth_entrypoint=rimuhosting",
        timing=Timing(ttl=3600),
    ),
    "route53": _row(
        "route53",
        # Without keys boto3 looks for a profile or the role of the machine, as lego does.
        optional="auth_access_key=AWS_ACCESS_KEY_ID auth_access_secret=AWS_SECRET_ACCESS_KEY"
        " zone_id=AWS_HOSTED_ZONE_ID",
        # The library cannot hand a session over; boto3 finds all three of them itself.
        unless="auth_access_key=AWS_SESSION_TOKEN auth_access_secret=AWS_SESSION_TOKEN",
    ),
    "safedns": _row("safedns", "auth_token=SAFEDNS_AUTH_TOKEN"),
    "sakuracloud": _row(
        "sakuracloud",
        "auth_token=SAKURACLOUD_ACCESS_TOKEN",
        "auth_secret=SAKURACLOUD_ACCESS_TOKEN_SECRET",
    ),
    "scaleway": _row("scaleway", "auth_secret_key=SCW_SECRET_KEY|SCALEWAY_API_TOKEN"),
    "tencentcloud": _row(
        "qcloud",
        "secret_id=TENCENTCLOUD_SECRET_ID",
        "secret_key=TENCENTCLOUD_SECRET_KEY",
        timing=Timing(ttl=600),
    ),
    "timewebcloud": _row("timeweb", "auth_token=TIMEWEBCLOUD_AUTH_TOKEN"),
    "transip": _row(
        "transip",
        "auth_username=TRANSIP_ACCOUNT_NAME",
        "auth_api_key=TRANSIP_PRIVATE_KEY_PATH",
        timing=Timing(patience=10 * _MINUTE, interval=10),
    ),
    "ultradns": _row(
        "ultradns", "auth_username=ULTRADNS_USERNAME", "auth_password=ULTRADNS_PASSWORD"
    ),
    "vercel": _row("vercel", "auth_token=VERCEL_API_TOKEN"),
    "vultr": _row("vultr", "auth_token=VULTR_API_KEY"),
    "wedos": _row(
        "wedos",
        "auth_username=WEDOS_USERNAME",
        "auth_pass=WEDOS_WAPI_PASSWORD",
        timing=Timing(300, 10 * _MINUTE, 10),
    ),
    "zonomi": _row(
        "zonomi",
        "auth_token=ZONOMI_API_KEY",
        fixed="auth_entrypoint=zonomi",
        timing=Timing(ttl=3600),
    ),
}


def library_options(provider: str, row: Row, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the options of a provider for the library.

    Raises:
        ValueError: A variable that is needed is not set.
    """
    values = dict(row.fixed)
    missing = []
    for option, names in row.options.items():
        if variable(environ, *row.unless.get(option, ())):
            continue
        own = f"LEXICON_{row.library}_{option}".upper()
        value = variable(environ, *names, own)
        if value:
            values[option] = row.formats.get(option, "{}").format(value)
        elif option not in row.optional:
            missing.append(" or ".join(names))
    if missing:
        raise ValueError(
            f'the DNS provider "{provider}" needs the environment variable'
            f"{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
        )
    return values
