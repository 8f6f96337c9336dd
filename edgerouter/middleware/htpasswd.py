"""Password hashes as ``htpasswd`` writes them: bcrypt, Apache's MD5 and SHA-1.

Pure functions; bcrypt takes long on purpose and is to be called in a thread.
"""

import base64
import hashlib
import hmac
from time import sleep

_BCRYPT = ("$2a$", "$2b$", "$2x$", "$2y$")
_SHA = "{SHA}"
_BCRYPT_BYTES = 72
"""bcrypt looks at no more of a password."""
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MD5_ROUNDS = 1000
_BREATH = 50
"""Rounds after which other threads get their turn: Python holds them up, unlike bcrypt."""
_MD5_ORDER = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
"""Which bytes of the digest make up each group of four characters; the last byte stands alone."""


def is_known(secret: str) -> bool:
    """Tell whether ``secret`` is a hash that ``check`` understands."""
    return secret.startswith((*_BCRYPT, _SHA)) or _md5_parts(secret) is not None


def check(password: bytes, secret: str) -> bool:
    """Tell whether ``secret`` is the hash of ``password``; the comparison takes constant time."""
    if secret.startswith(_BCRYPT):
        return _check_bcrypt(password, secret)
    if secret.startswith(_SHA):
        made = base64.b64encode(hashlib.sha1(password, usedforsecurity=False).digest()).decode()
        return _equal(made, secret.removeprefix(_SHA))
    parts = _md5_parts(secret)
    return parts is not None and _equal(md5_crypt(password, *parts), secret)


def _equal(made: str, secret: str) -> bool:
    return hmac.compare_digest(made.encode(), secret.encode("utf-8", "surrogateescape"))


def _check_bcrypt(password: bytes, secret: str) -> bool:
    import bcrypt  # noqa: PLC0415 - workers without basicAuth do not load it.

    try:
        return bcrypt.checkpw(password[:_BCRYPT_BYTES], secret.encode())
    except ValueError:  # A malformed hash; UnicodeEncodeError is one as well.
        return False


def _md5_parts(secret: str) -> tuple[str, str] | None:
    """Return magic and salt of ``$apr1$salt$digest`` or ``$1$salt$digest``."""
    parts = secret.split("$")
    if len(parts) != 4 or parts[0] or parts[1] not in ("1", "apr1"):
        return None
    return f"${parts[1]}$", parts[2]


def md5_crypt(password: bytes, magic: str, salt: str) -> str:
    """Return Poul-Henning Kamp's MD5 crypt; Apache's differs in ``magic`` (``$apr1$``) alone."""
    salted = salt.encode("utf-8", "surrogateescape")[:8]
    inner = _md5(password + salted + password)
    text = password + magic.encode() + salted
    text += (inner * (len(password) // 16 + 1))[: len(password)]
    length = len(password)
    while length:
        text += b"\0" if length & 1 else password[:1]
        length >>= 1
    digest = _md5(text)
    for round_ in range(_MD5_ROUNDS):
        mixed = password if round_ & 1 else digest
        if round_ % 3:
            mixed += salted
        if round_ % 7:
            mixed += password
        digest = _md5(mixed + (digest if round_ & 1 else password))
        if round_ % _BREATH == 0:
            sleep(0.0001)
    return f"{magic}{salted.decode('utf-8', 'surrogateescape')}${_characters(digest)}"


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _characters(digest: bytes) -> str:
    text = ""
    for first, second, third in _MD5_ORDER:
        text += _base64(digest[first] << 16 | digest[second] << 8 | digest[third], 4)
    return text + _base64(digest[11], 2)


def _base64(value: int, count: int) -> str:
    return "".join(_ALPHABET[value >> 6 * index & 0x3F] for index in range(count))
