"""The error of a data folder."""

from __future__ import annotations

from rayapp.errors import UserError


class DataFolderError(UserError):
    """The folder cannot be used; the message names file, column and remedy."""
