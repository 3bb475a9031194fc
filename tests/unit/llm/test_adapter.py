"""A real, small adapter of a real, small model, merged once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from rayapp.llm.adapter import AdapterError
from rayapp.llm.base_model import model_folder
from rayapp.llm.model_version import model_version


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, language_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=300, **sizes)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(language_model).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(base: Path) -> Path:
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=2, init_lora_weights=False))
    folder = base.parent / "social"
    model.save_pretrained(folder)
    return folder


def logits(folder: str) -> torch.Tensor:
    with torch.inference_mode():
        return AutoModelForCausalLM.from_pretrained(folder)(torch.arange(8)[None]).logits


def test_a_folder_with_an_adapter_is_its_base_with_the_adapter_in_it(base: Path, adapter: Path, tmp_path: Path) -> None:
    folder = model_folder(str(adapter), tmp_path)
    assert not torch.allclose(logits(folder), logits(str(base)), atol=1e-3)
    assert model_version(folder) != model_version(str(base))
    assert model_version(folder).startswith("social@")
    AutoTokenizer.from_pretrained(folder)
    written = Path(folder, "config.json").stat().st_mtime_ns
    assert model_folder(f"{base}+{adapter}", tmp_path) == folder
    assert Path(folder, "config.json").stat().st_mtime_ns == written, "merged once"


def test_what_cannot_be_merged_says_so(base: Path, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="no adapter_config.json and adapter_model.safetensors"):
        model_folder(f"{base}+{tmp_path}", tmp_path)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / name).write_bytes((adapter / name).read_bytes())
    settings = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**settings, "base_model_name_or_path": None}))
    with pytest.raises(AdapterError, match="names no base model"):
        model_folder(str(tmp_path), tmp_path)
    (tmp_path / "adapter_config.json").write_text(json.dumps({**settings, "target_modules": ["nothing"]}))
    with pytest.raises(AdapterError, match="does not fit"):
        model_folder(f"{base}+{tmp_path}", tmp_path / "cache")
