"""When a certificate is renewed, and when a failed order is tried again. Pure arithmetic."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from josepy import b64

from edgerouter.acme.keys import Facts

FRACTION = 2 / 3
"""Part of the lifetime after which a certificate is renewed when the CA names no time."""

JITTER = 1 / 30
"""Part of the lifetime over which renewals of equally old certificates are spread."""

RETRIES = (
    *(60, 120, 120, 300),
    *(600,) * 3,
    *(1200,) * 4,
    *(1800,) * 4,
    *(3600,) * 6,
    *(10800,) * 6,
    21600,
)
"""Seconds until the next try after the first, second, ... failure (certmagic's schedule)."""

SPREAD = 0.2
"""Part by which pauses are longer, by chance: what failed together is not tried together."""

LATEST = 9 / 10
"""Part of the lifetime after which a certificate is renewed whatever the CA says."""

ARI_INTERVAL = timedelta(hours=6)
"""How often the CA is asked when it does not say (RFC 9773, section 4.3.2)."""

_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=1)


def retry_delay(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return float(RETRIES[min(failures, len(RETRIES)) - 1])


def spread(seconds: float) -> float:
    """Return a pause of at least so many seconds."""
    return seconds * random.uniform(1, 1 + SPREAD)  # noqa: S311 - only spreads the load.


def renewal_time(facts: Facts) -> datetime:
    """Return when to renew by age; the same certificate has the same time after a restart."""
    lifetime = facts.not_after - facts.not_before
    spread = random.Random(facts.serial).random()  # noqa: S311 - only spreads the load.
    return facts.not_before + lifetime * FRACTION - lifetime * JITTER * spread


def latest_time(facts: Facts) -> datetime:
    """Return when a certificate is renewed at the latest, so that tries are left for failures."""
    return facts.not_before + (facts.not_after - facts.not_before) * LATEST


TRAEFIK_THRESHOLDS = (
    (365 * 24, timedelta(days=120)),
    (90 * 24, timedelta(days=30)),
    (30 * 24, timedelta(days=10)),
    (6 * 24, timedelta(days=2)),
    (24, timedelta(hours=6)),
    (0, timedelta(minutes=20)),
)
"""``certificatesDuration`` in hours, at least, and how long before the end Traefik renews."""


def traefik_renewal_time(facts: Facts, certificates_duration: int) -> datetime:
    """Return when Traefik would renew, which heeds the option only and not the certificate."""
    hours = certificates_duration
    return facts.not_after - next(left for least, left in TRAEFIK_THRESHOLDS if hours >= least)


def suggested_time(information: Mapping[str, Any], serial: str) -> datetime:
    """Return a time in the CA's suggested window (RFC 9773, section 4.2).

    Raises:
        ValueError: The answer has no sensible window.
    """
    try:
        window = information["suggestedWindow"]
        start, end = (_time(window[name]) for name in ("start", "end"))
    except (KeyError, TypeError) as error:
        raise ValueError(f"the renewal information has no {error}") from error
    if end < start:
        raise ValueError("the window of the renewal information ends before it starts")
    place = random.Random(f"{serial} {start} {end}").random()  # noqa: S311 - see above.
    return start + (end - start) * place


def _time(text: str) -> datetime:
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def next_enquiry(now: datetime, retry_after: float | None) -> datetime:
    """Return when to ask the CA for renewal information again."""
    wanted = ARI_INTERVAL if retry_after is None else timedelta(seconds=retry_after)
    return now + min(max(wanted, _SHORTEST), _LONGEST)


def certificate_identifier(chain: str) -> str | None:
    """Return the identifier of a certificate for its CA (RFC 9773, section 4.1).

    None when it does not name its issuer's key.
    """
    leaf = x509.load_pem_x509_certificate(chain.encode())
    try:
        extension = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return None
    issuer = extension.value.key_identifier
    if issuer is None:
        return None
    number = leaf.serial_number
    # The content of a DER INTEGER: one more bit for the sign.
    serial = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return f"{b64.b64encode(issuer).decode()}.{b64.b64encode(serial).decode()}"
