"""The error of a data folder, and what others said."""

from __future__ import annotations

from rayapp.errors import UserError


class DataFolderError(UserError):
    """The folder cannot be used; the message names file, column and remedy."""


def one_line(error: Exception) -> str:
    """Arrow's errors have many lines."""
    return " ".join(str(error).split())[:200]
