"""The base of every part of the configuration, and the error of a configuration that cannot be used."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from rayapp.errors import UserError


class ConfigError(UserError):
    """The configuration cannot be used; the text names the key, the value and what is allowed."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every section: immutable, and a misspelt key is an error. Limits are checked when a file is loaded."""


Port = Annotated[int, Meta(ge=1, le=65_535)]
Count = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
NonNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1.0)]
