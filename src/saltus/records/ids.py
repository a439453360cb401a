"""Content hashes: the same content has the same id on every machine and in every version of Python."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(order="deterministic")


def content_hash(value: Any, *, length: int = 32) -> str:
    """Hash any JSON-like value or struct by its content.

    Args:
        value: Structs, dicts, lists, strings, numbers, booleans, None. Key order does not matter.
        length: Hexadecimal characters to keep, 1 to 64 (4 bits each).

    Returns:
        A lower-case hexadecimal string.

    Examples:
        >>> content_hash({"b": 1, "a": [2]}) == content_hash({"a": [2], "b": 1})
        True
    """
    return hashlib.sha256(_ENCODER.encode(value)).hexdigest()[:length]


def bytes_hash(data: bytes, *, length: int = 32) -> str:
    """Hash raw bytes, for instance a file's content, the same way."""
    return hashlib.sha256(data).hexdigest()[:length]
