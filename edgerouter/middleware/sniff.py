"""What kind of data this is, by its first bytes (WHATWG MIME Sniffing, section 7, as Go does)."""

CONSIDERED = 512
"""Bytes that are looked at."""

_HTML = tuple(
    b"<" + tag
    for tag in (
        b"!DOCTYPE HTML", b"HTML", b"HEAD", b"SCRIPT", b"IFRAME", b"H1", b"DIV", b"FONT",
        b"TABLE", b"A", b"STYLE", b"TITLE", b"B", b"BODY", b"BR", b"P", b"!--",
    )
)  # fmt: skip
_MARKS = (
    (b"%PDF-", b"application/pdf"),
    (b"%!PS-Adobe-", b"application/postscript"),
    (b"\xfe\xff", b"text/plain; charset=utf-16be"),
    (b"\xff\xfe", b"text/plain; charset=utf-16le"),
    (b"\xef\xbb\xbf", b"text/plain; charset=utf-8"),
    (b"\x00\x00\x01\x00", b"image/x-icon"),
    (b"\x00\x00\x02\x00", b"image/x-icon"),
    (b"BM", b"image/bmp"),
    (b"GIF87a", b"image/gif"),
    (b"GIF89a", b"image/gif"),
    (b"\x89PNG\r\n\x1a\n", b"image/png"),
    (b"\xff\xd8\xff", b"image/jpeg"),
    (b"ID3", b"audio/mpeg"),
    (b"OggS\x00", b"application/ogg"),
    (b"MThd\x00\x00\x00\x06", b"audio/midi"),
    (b"\x1aE\xdf\xa3", b"video/webm"),
    (b"\x00\x01\x00\x00", b"font/ttf"),
    (b"OTTO", b"font/otf"),
    (b"ttcf", b"font/collection"),
    (b"wOFF", b"font/woff"),
    (b"wOF2", b"font/woff2"),
    (b"\x1f\x8b\x08", b"application/x-gzip"),
    (b"PK\x03\x04", b"application/zip"),
    (b"Rar!\x1a\x07\x00", b"application/x-rar-compressed"),
    (b"Rar!\x1a\x07\x01\x00", b"application/x-rar-compressed"),
    (b"\x00asm", b"application/wasm"),
)
_FORMS = (
    (b"RIFF", b"WEBPVP", b"image/webp"),
    (b"FORM", b"AIFF", b"audio/aiff"),
    (b"RIFF", b"AVI ", b"video/avi"),
    (b"RIFF", b"WAVE", b"audio/wave"),
)
"""Containers: their mark, four bytes of size, what they contain."""
_BINARY = frozenset({*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)})


def sniff(data: bytes) -> bytes:
    """Return the content type of data that begins with ``data``."""
    data = data[:CONSIDERED]
    text = data.lstrip(b"\t\n\x0c\r ")
    if _is_html(text):
        return b"text/html; charset=utf-8"
    if text.startswith(b"<?xml"):
        return b"text/xml; charset=utf-8"
    for mark, kind in _MARKS:
        if data.startswith(mark):
            return kind
    for mark, content, kind in _FORMS:
        if data.startswith(mark) and data.startswith(content, 8):
            return kind
    if data[34:36] == b"LP" and not data[:34].strip(b"\x00"):
        return b"application/vnd.ms-fontobject"
    if _is_mp4(data):
        return b"video/mp4"
    if _BINARY.isdisjoint(data):
        return b"text/plain; charset=utf-8"
    return b"application/octet-stream"


def _is_html(text: bytes) -> bool:
    upper = text[:16].upper()
    return any(
        upper.startswith(tag) and text[len(tag) : len(tag) + 1] in (b" ", b">") for tag in _HTML
    )


def _is_mp4(data: bytes) -> bool:
    """Tell whether an MP4 names one of its brands in the first box."""
    size = int.from_bytes(data[:4], "big")
    if len(data) < 12 or data[4:8] != b"ftyp" or size > len(data) or size % 4:
        return False
    brands = (data[at : at + 3] for at in range(8, size, 4) if at != 12)
    return b"mp4" in brands
