"""What a source of certificates (ACME, internal CA) offers and what it is asked for.

The control plane merges the certificates of all sources with those of the
dynamic configuration and sends them to the workers in a snapshot. Everything
here runs in the control plane's event loop; a source works in tasks of its own
and returns at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate with its chain, and its private key."""

    chain_pem: str
    """The certificate first, then the intermediate ones."""
    key_pem: str
    """The private key, not encrypted."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate to be served for its names."""

    names: tuple[str, ...]
    """Lower-case DNS names, ``*.`` in front for one label, and IP addresses as text."""
    chain_pem: str
    key_pem: str
    origin: str
    """Where it comes from, for people: ``resolver letsencrypt``, ``internal CA``."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One certificate that routers want; equal wishes of several routers are one demand."""

    resolver: str
    """The certificate resolver's name; empty for routers with ``tls`` that name none."""
    main: str
    sans: tuple[str, ...] = ()
    """The other names, without ``main``."""
    routers: tuple[str, ...] = ()
    """Qualified names of the routers, sorted; empty for the default certificate."""
    default: bool = False
    """Whether it is to be the default certificate (``defaultGeneratedCert``)."""

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, the main one first."""
        return self.main, *self.sans


@dataclass(frozen=True, slots=True)
class Challenges:
    """Answers of ACME challenges that are pending now; every worker gives them."""

    http01: Mapping[str, str] = field(default_factory=dict)
    """Key authorization by token (RFC 8555 section 8.3)."""
    acme_tls: Mapping[str, KeyPair] = field(default_factory=dict)
    """The certificate for ``acme-tls/1`` by lower-case host (RFC 8737)."""


class CertificateSource(Protocol):
    """Makes certificates; implemented for ACME and the internal CA."""

    def certificates(self) -> Sequence[Certificate]:
        """Return what may be served now, the preferred first between equal names."""
        ...

    def default(self) -> Certificate | None:
        """Return the certificate for clients whose name no other has; None: none of mine."""
        ...

    def challenges(self) -> Challenges:
        """Return the pending challenges."""
        ...

    def demand(self, demands: Sequence[Demand]) -> None:
        """Learn what routers want: the whole set, after each change of the configuration.

        It holds the demands of all resolvers; a source serves those that name its own.
        """
        ...

    def refusal(self, demand: Demand) -> str:
        """Return why a demand can never be met as things are configured; empty when it can.

        A demand that is refused is in none of those that ``demand`` tells.
        """
        ...

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever one of the answers above has changed.

        Workers have the change once they acknowledge the next snapshot.
        """
        ...
