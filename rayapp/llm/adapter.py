"""A LoRA adapter merged into its base model, once: engines, tokenizers and versions then see one plain model folder.

Merged weights cost nothing at serving time (Hu et al. 2021, section 4). Adapters
that are to be loaded by name beside each other are `lora` in the Serve YAML.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from rayapp.atomic import whole_folder
from rayapp.errors import UserError
from rayapp.llm.model_version import LINEAGE, model_version

SETTINGS = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


class AdapterError(UserError):
    """The adapter cannot be used; the text says which and why."""


def is_adapter(folder: Path) -> bool:
    return (folder / SETTINGS).is_file()


def base_of(folder: Path) -> str:
    """The model that it was trained on, as PEFT wrote it down."""
    name = json.loads((folder / SETTINGS).read_text()).get("base_model_name_or_path")
    if not name:
        raise AdapterError(f"adapter {folder}: {SETTINGS} names no base model; give it as BASE+{folder}")
    return str(name)


def merged(base: str, folder: Path, cache: Path) -> str:
    """Folder of `base` (a folder or hub id) with the adapter in its weights; made below `cache` when it is not there.

    Raises AdapterError.
    """
    if not is_adapter(folder) or not (folder / WEIGHTS).is_file():
        raise AdapterError(f"adapter {folder}: no {SETTINGS} and {WEIGHTS} there; give a folder that PEFT saved")
    learned = hashlib.sha256((folder / SETTINGS).read_bytes() + (folder / WEIGHTS).read_bytes()).hexdigest()
    lineage = {"name": folder.resolve().name, "base": model_version(base), "adapter": learned}
    told = json.dumps(lineage, indent=1).encode()

    def write(target: Path) -> None:
        from peft import PeftModel
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
        try:
            model = PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
        except (RuntimeError, ValueError) as error:
            raise AdapterError(f"adapter {folder} does not fit {base}: {str(error)[:200]}") from None
        model.save_pretrained(target)
        AutoTokenizer.from_pretrained(base).save_pretrained(target)
        (target / LINEAGE).write_bytes(told)

    return whole_folder(cache / f"{lineage['name']}-{hashlib.sha256(told).hexdigest()[:8]}", write)
