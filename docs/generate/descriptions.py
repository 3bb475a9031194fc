"""What a key means, in words, where the code has no description of its own: descriptions.yaml, by page and key."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("descriptions.yaml")


@functools.cache
def descriptions() -> dict[str, dict[str, str]]:
    return msgspec.yaml.decode(FILE.read_bytes(), type=dict[str, dict[str, str]])


def described(page: str, key: str) -> str:
    """Empty where the file says nothing of this key."""
    return descriptions().get(page, {}).get(key, "")
