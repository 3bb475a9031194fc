"""Secrets: files that only their owner reads, and texts without the passwords that URLs and settings carry."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HIDDEN = "***"
# All up to the last @: passwords hold / and @ where nobody encoded them. In a query an @ is no sign of one.
USERINFO = re.compile(r"(?<=://)(?::\S*|(?!/)[^\s?#]*)@")
IN_QUERY = re.compile(r"([?&][^=&\s]*(?:password|secret|token|credential|signature|key)[^=&\s]*=)[^&\s]+", re.I)
WORDS = ("password", "secret", "token", "credential", "jaas", "private", "passphrase", "userinfo", ".pem", "api_key")


def hidden_in_url(text: str) -> str:
    """The text with the user and password of each URL in it, and secrets in its query, replaced by ***."""
    return IN_QUERY.sub(rf"\1{HIDDEN}", USERINFO.sub(f"{HIDDEN}@", text))


def hidden_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a client library by name, those that hold a secret replaced by ***."""
    return {
        name: HIDDEN
        if any(word in name.lower() for word in WORDS) or name.lower().endswith("key")
        else hidden_in_url(value)
        if isinstance(value, str)
        else value
        for name, value in settings.items()
    }


def write_private(file: Path, content: bytes) -> None:
    """Replace the file in one step by one that only its owner can read and write (0600), whatever was there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
        output.write(content)
    partial.replace(file)
