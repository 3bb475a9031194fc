"""The base of every part of the configuration, its kinds of values, and the error of one that cannot be used.

Every number has both limits: a value beyond them would end a job later, where nobody thinks of the configuration.
"""

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
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Natural = Annotated[int, Meta(ge=0, le=1_000_000)]
Many = Annotated[int, Meta(ge=1, le=10**15)]  # of tokens
Few = Annotated[int, Meta(ge=1, le=1000)]  # of processes and threads
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Share = Annotated[float, Meta(ge=0, le=1.0)]
Weight = Annotated[float, Meta(ge=0, le=1000.0)]
Rate = Annotated[float, Meta(ge=0, le=10.0)]  # of learning
PositiveRate = Annotated[float, Meta(ge=1e-9, le=10.0)]
Seconds = Annotated[float, Meta(ge=0, le=86_400.0)]
PositiveSeconds = Annotated[float, Meta(ge=0.01, le=86_400.0)]
Milliseconds = Annotated[int, Meta(ge=0, le=600_000)]
Hours = Annotated[float, Meta(ge=0, le=8784.0)]  # a year
Days = Annotated[float, Meta(ge=1 / 24, le=3650.0)]
Size = Annotated[int, Meta(ge=1, le=65_536)]  # of a layer
Dropout = Annotated[float, Meta(ge=0, le=0.99)]
Warmup = Annotated[float, Meta(ge=0, le=0.99)]  # share of the steps
Norm = Annotated[float, Meta(ge=1e-6, le=1e6)]  # that gradients are clipped at
Temperature = Annotated[float, Meta(ge=1e-3, le=100.0)]
Minutes = Annotated[float, Meta(ge=0.01, le=100_000.0)]
ScenarioName = Annotated[str, Meta(min_length=1, max_length=64)]
# What is a folder, a part of a topic's name or a model's in URLs.
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")]
