"""The mean of two adapters' weights (Wortsman et al. 2022, model soups)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rayapp.atomic import whole_folder
from rayapp.llm.adapter import SETTINGS, WEIGHTS, AdapterError, is_adapter

SHAPE = ("base_model_name_or_path", "r", "lora_alpha", "use_rslora")


def averaged(first: Path, second: Path, weight: float, to: Path) -> str:
    """Folder of an adapter with (1 - weight) of the first's factors and `weight` of the second's.

    The factors A and B are averaged by themselves, so it means something only where one adapter was trained on from the
    other. Raises AdapterError where the two are not of one base and shape, or `to` is there already.
    """
    from safetensors.torch import load_file, save_file

    if to.exists():
        raise AdapterError(f"{to} is there already; give the name of a new folder")
    settings, weights = zip(*(_read(folder, load_file) for folder in (first, second)), strict=True)
    for key in SHAPE:
        one, other = (found.get(key) for found in settings)
        if one != other:
            raise AdapterError(
                f"{first} has {key} {one!r} and {second} {other!r}; adapters of one base and shape are averaged"
            )
    if {k: v.shape for k, v in weights[0].items()} != {k: v.shape for k, v in weights[1].items()}:
        raise AdapterError(f"{first} and {second} adapt other layers; adapters of one base and shape are averaged")
    mean = {
        name: ((1 - weight) * one.float() + weight * weights[1][name].float()).to(one.dtype)
        for name, one in weights[0].items()
    }

    def write(target: Path) -> None:
        save_file(mean, target / WEIGHTS, metadata={"format": "pt"})
        (target / SETTINGS).write_text(json.dumps(settings[0], indent=2))

    return whole_folder(to, write)


def _read(folder: Path, load_file: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    if not is_adapter(folder) or not (folder / WEIGHTS).is_file():
        raise AdapterError(f"adapter {folder}: no {SETTINGS} and {WEIGHTS} there; give a folder that PEFT saved")
    return json.loads((folder / SETTINGS).read_text()), load_file(folder / WEIGHTS)
