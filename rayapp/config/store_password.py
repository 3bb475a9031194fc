"""The password of the embedded store: made once, kept in the state folder, asked for by whoever connects."""

from __future__ import annotations

import secrets
from pathlib import Path

from rayapp.secrets import write_private


def password_file(state: Path) -> Path:
    return state / "store_password"


def store_password(state: Path) -> str:
    """Empty before the store was started for the first time."""
    try:
        return password_file(state).read_text().strip()
    except FileNotFoundError:
        return ""


def make_store_password(state: Path) -> str:
    """The password; made when there is none."""
    if not store_password(state):
        write_private(password_file(state), secrets.token_hex(32).encode())
    return store_password(state)
