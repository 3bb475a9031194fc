"""Two small adapters of one real model, averaged; what does not belong together is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from rayapp.llm.adapter import WEIGHTS, AdapterError, is_adapter
from rayapp.llm.average import averaged


def adapter(folder: Path, seed: int, r: int = 2, targets: list[str] | str = "all-linear") -> Path:
    torch.manual_seed(seed)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=300, **sizes))
    get_peft_model(model, LoraConfig(r=r, init_lora_weights=False, target_modules=targets)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_every_weight_is_the_mean_of_the_two(tmp_path: Path, weight: float) -> None:
    first, second = adapter(tmp_path / "a", 1), adapter(tmp_path / "b", 2)
    folder = Path(averaged(first, second, weight, tmp_path / "mean"))
    assert is_adapter(folder)
    one, other, mean = (load_file(f / WEIGHTS) for f in (first, second, folder))
    assert mean.keys() == one.keys()
    for name, value in mean.items():
        torch.testing.assert_close(value, (1 - weight) * one[name] + weight * other[name])


def test_what_is_not_of_one_shape_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    first = adapter(tmp_path / "a", 1)
    for name, other, said in (
        ("rank", adapter(tmp_path / "b", 2, r=4), "has r 2 and .* 4"),
        ("layers", adapter(tmp_path / "c", 2, targets=["q_proj"]), "adapt other layers"),
        ("none", tmp_path, "no adapter_config.json"),
    ):
        with pytest.raises(AdapterError, match=said):
            averaged(first, other, 0.5, tmp_path / name)
        assert not (tmp_path / name).exists()
    with pytest.raises(AdapterError, match="is there already"):
        averaged(first, first, 0.5, first)
