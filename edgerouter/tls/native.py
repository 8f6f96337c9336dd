"""What OpenSSL can do and Python's ``ssl`` has no words for, by way of ``ctypes``.

Session ticket keys (so that every worker can resume the sessions of the others),
several curves, client certificates that are asked for but not verified, and the names of
the authorities clients choose theirs by. The
place of the ``SSL_CTX`` in Python's object is a detail of CPython: it is used on
the versions it was checked with, and only after a look that agrees with what
``ssl`` itself says. Where that fails, ``OpenSSL.load`` returns None.
"""

import ctypes
import ssl
import sys
from collections.abc import Callable
from typing import Any

TICKET_KEY_SIZE = 80
"""Bytes: 16 of name, 32 for the MAC, 32 for the cipher."""

_CHECKED_VERSIONS = ((3, 11), (3, 14))
_SET_SESS_CACHE_MODE = 44
_SET_TLSEXT_TICKET_KEYS = 59
_SET_GROUPS_LIST = 92
_VERIFY_PEER = 1
_VERIFY_FAIL_IF_NO_PEER_CERT = 2
_NO_AUTO_CACHE = 0


class OpenSSL:
    """The library that ``ssl`` itself uses."""

    def __init__(self, library: Any) -> None:
        self._control: Callable[..., int] = library.SSL_CTX_ctrl
        library.SSL_CTX_ctrl.argtypes = [
            ctypes.c_void_p,
            ctypes.c_int,
            ctypes.c_long,
            ctypes.c_void_p,
        ]
        library.SSL_CTX_ctrl.restype = ctypes.c_long
        self._options: Callable[..., int] = library.SSL_CTX_get_options
        library.SSL_CTX_get_options.argtypes = [ctypes.c_void_p]
        library.SSL_CTX_get_options.restype = ctypes.c_uint64
        self._set_verify: Callable[..., None] = library.SSL_CTX_set_verify
        library.SSL_CTX_set_verify.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
        library.SSL_CTX_set_verify.restype = None
        self._decode: Callable[..., int | None] = library.d2i_X509
        library.d2i_X509.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
        library.d2i_X509.restype = ctypes.c_void_p
        self._add_client_authority: Callable[..., int] = library.SSL_CTX_add_client_CA
        library.SSL_CTX_add_client_CA.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        library.SSL_CTX_add_client_CA.restype = ctypes.c_int
        self._free: Callable[..., None] = library.X509_free
        library.X509_free.argtypes = [ctypes.c_void_p]
        library.X509_free.restype = None
        accept_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
        self._accept_any = accept_type(lambda _verified, _store: 1)

    @classmethod
    def load(cls) -> "OpenSSL | None":
        """Return the library, or None where it cannot be reached safely."""
        first, last = _CHECKED_VERSIONS
        if sys.implementation.name != "cpython" or not first <= sys.version_info[:2] <= last:
            return None
        try:
            import _ssl  # noqa: PLC0415 - CPython's own.

            found = cls(ctypes.CDLL(_ssl.__file__))
        except (ImportError, OSError, AttributeError):
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for bit in (0, ssl.OP_NO_TICKET):
            context.options |= bit
            if found._options(_pointer(context)) & 0xFFFFFFFF != context.options & 0xFFFFFFFF:
                return None
        return found

    def set_ticket_keys(self, context: ssl.SSLContext, keys: bytes) -> None:
        """Encrypt session tickets with ``keys`` (``TICKET_KEY_SIZE`` bytes).

        Raises:
            ValueError: OpenSSL refuses them.
        """
        if not self._control(_pointer(context), _SET_TLSEXT_TICKET_KEYS, len(keys), keys):
            raise ValueError("OpenSSL refuses the session ticket keys")

    def forget_sessions(self, context: ssl.SSLContext) -> None:
        """Keep no sessions in memory: tickets hold all there is."""
        self._control(_pointer(context), _SET_SESS_CACHE_MODE, _NO_AUTO_CACHE, None)

    def set_curves(self, context: ssl.SSLContext, names: str) -> bool:
        """Use the curves ``names`` (``X25519:P-256``); tell whether OpenSSL knows them all."""
        return bool(self._control(_pointer(context), _SET_GROUPS_LIST, 0, names.encode()))

    def accept_any_client(self, context: ssl.SSLContext, *, required: bool) -> None:
        """Ask clients for a certificate and take whatever comes."""
        mode = _VERIFY_PEER | (_VERIFY_FAIL_IF_NO_PEER_CERT if required else 0)
        callback = ctypes.cast(self._accept_any, ctypes.c_void_p)
        self._set_verify(_pointer(context), mode, callback)

    def name_client_authorities(self, context: ssl.SSLContext) -> None:
        """Tell clients which authorities' certificates are accepted: those ``context`` trusts."""
        for der in context.get_ca_certs(binary_form=True):
            start = ctypes.c_char_p(der)
            certificate = self._decode(None, ctypes.byref(start), len(der))
            if certificate:
                self._add_client_authority(_pointer(context), certificate)
                self._free(certificate)


def _pointer(context: ssl.SSLContext) -> int:
    """Return the address of the ``SSL_CTX``, the first member of CPython's ``PySSLContext``."""
    # The class in ssl.py may add a dictionary behind it, never in front.
    value = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
    return value or 0


OPENSSL = OpenSSL.load()
"""The library, once per process."""
