"""Training settings of RED-Rec: a YAML file with options on top, and the language models it names made available."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec

from rayapp.content.item_encoder import DECODER
from rayapp.errors import UserError
from rayapp.llm.base_model import model_folder
from rayapp.parsing import Unreadable, convert, yaml_value
from rayapp.redrec.training.trainer import TrainConfig


class TrainingError(UserError):
    """A training cannot start with what it was given, or it ended without a result."""


def load_train_config(file: str, overrides: Mapping[str, object], *, packaged: Path) -> TrainConfig:
    """The YAML `file`, or the one of this name in the folder `packaged`, with the overrides that are not None on top.

    Raises TrainingError with the key at fault.
    """
    named = packaged / f"{file}.yaml"
    try:
        base = yaml_value((named if named.is_file() else Path(file)).read_bytes(), what=f"training config {file}")
        given = {k: v for k, v in overrides.items() if v is not None}
        if not isinstance(base, dict | None):
            raise TrainingError(f"training config {file} is no mapping of keys to values")
        settings = {**cast("dict[str, object]", base or {}), **given}
        config = convert(settings, TrainConfig, what=f"training config {file}")
    except OSError as error:
        raise TrainingError(f"training config {file} cannot be read: {error.strerror}") from None
    except Unreadable as error:
        raise TrainingError(f"{error}; see rayapp/redrec/training/trainer.py for every key") from None
    model = config.model
    if not model.user_model and model.width % model.heads:
        raise TrainingError(
            f"training config {file}: model.width: {model.width} must be a multiple of model.heads, {model.heads}"
        )
    return config


def with_model_folders(settings: TrainConfig, cache: Path) -> TrainConfig:
    """Language models by folders that workers can load, unpacked below `cache`.

    Raises TrainingError for an encoder that cannot learn.
    """
    model = settings.model
    encoder = settings.encoder
    if model.item_learning != "frozen":
        if not encoder.startswith(DECODER) or "|" in encoder:
            raise TrainingError(
                f"model.item_learning: {model.item_learning} needs a decoder as the encoder, such as "
                f"{DECODER}SmolLM2-135M-Instruct; it is {encoder}"
            )
        encoder = DECODER + model_folder(encoder.removeprefix(DECODER), cache)
    if model.user_model:
        model = msgspec.structs.replace(model, user_model=model_folder(model.user_model, cache))
    return msgspec.structs.replace(settings, encoder=encoder, model=model)
