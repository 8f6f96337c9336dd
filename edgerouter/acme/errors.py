"""What can go wrong on the way to a certificate, in words for the user."""


class CertificateError(Exception):
    """A certificate could not be obtained; the message says why and what would help.

    ``retry_after``: seconds the CA asks to wait, or None. ``reached_ca``: whether an order
    may have been counted by the CA.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        reached_ca: bool = True,
        code: str = "",
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.reached_ca = reached_ca
        self.code = code
        """The CA's error type without its prefix, e.g. ``rateLimited``; empty for our own."""


class Interrupted(Exception):
    """The control plane stops; what was under way is continued at the next start."""
