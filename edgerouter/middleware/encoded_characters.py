"""``encodedCharacters``: which encoded characters a path may hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    allow_encoded_slash: bool = False
    allow_encoded_back_slash: bool = False
    allow_encoded_null_character: bool = False
    allow_encoded_semicolon: bool = False
    allow_encoded_percent: bool = False
    allow_encoded_question_mark: bool = False
    allow_encoded_hash: bool = False
