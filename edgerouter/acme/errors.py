"""What can go wrong on the way to a certificate, in words for the user."""

from datetime import datetime


class CertificateError(Exception):
    """A certificate could not be obtained; the message says why and what would help.

    ``retry_after``: seconds the CA asks to wait, or None. ``status``: of the CA's answer in HTTP,
    0 without one. ``passing``: it says nothing about the order, for the CA is away, busy or slow.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        code: str = "",
        status: int = 0,
        passing: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status
        self.passing = passing
        self.code = code
        """The CA's error type without its prefix, e.g. ``rateLimited``; empty for our own."""


class Unanswered(CertificateError):
    """The CA cannot be reached, or does not answer in time."""

    def __init__(self, message: str) -> None:
        super().__init__(message, passing=True)


class Postponed(CertificateError):
    """Nothing was asked of the CA, and nothing is before ``until``."""

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message, passing=True)
        self.until = until


class OrderLost(CertificateError):
    """An order that will not become a certificate any more.

    ``refused``: names whose proof the CA has not accepted. ``expired``: it was not refused,
    its time was over. ``issued``: it became a certificate that is of no use.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        refused: tuple[str, ...] = (),
        expired: bool = False,
        issued: bool = False,
    ) -> None:
        super().__init__(message, code=code)
        self.refused = refused
        self.expired = expired
        self.issued = issued


class Interrupted(Exception):
    """The control plane stops; what was under way is continued at the next start."""
