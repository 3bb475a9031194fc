"""Stages as jobs on a tiny model: a killed one ends as one that was not killed, and a second run has nothing to do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from tests.conftest import DATA
from tests.helpers import eventually

SNS = DATA / "sns"
COMMON = """\
length: 512
batch: 2
bf16: false
lora: {r: 4, alpha: 8}
checkpoint_s: 2
evaluate_rows: 1
"""
TASKS = """\
  - {name: emotion, kind: task, weight: 1}
"""
RECIPES = {
    "pretrain": """\
tokens: 60000
cleaning: {quality: null}
sources:
  - {name: emotion, kind: text, path: tweeteval/emotion.parquet, where: {split: train}}
""",
    "finetune": f"""\
tokens: 60000
sources:
{TASKS}  - {{name: "EDOS, task A", kind: moderation, weight: 1}}
""",
    "prefer": f"""\
tokens: 15000
preference: {{mistakes: 400, samples: 0}}
sources:
{TASKS}""",
    "reward": """\
tokens: 8000
lr: 1.0e-3
reward: {samples: 2, answer_tokens: 8, mask_truncated: false}
sources:
  - {name: next_query, kind: task, weight: 1}
""",
}


@pytest.fixture(scope="module")
def tiny(language_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "model"
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    torch.manual_seed(0)
    settings = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
    )
    LlamaForCausalLM(settings).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.long  # three runs of Ray Train
@pytest.mark.data
@pytest.mark.skipif(not SNS.is_dir(), reason=f"{SNS} is not there")
@pytest.mark.parametrize(
    ("stage", "method", "workers"),
    [
        ("pretrain", "lora", 1),
        ("finetune", "lora", 1),
        ("finetune", "lora", 2),
        ("finetune", "full", 1),
        ("prefer", "lora", 1),
        ("reward", "lora", 1),
    ],
)
def test_a_killed_stage_ends_with_the_same_curve(
    tiny: Path, tmp_path: Path, stage: str, method: str, workers: int
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"{COMMON}method: {method}\nworkers: {workers}\n{RECIPES[stage]}")

    def command(name: str) -> list[str]:
        config = tmp_path / f"{name}.yaml"
        config.write_text(f"state: {tmp_path / name}\n")
        told = ["--config", str(config), "--data", str(SNS), "--recipe", str(recipe), "--model", str(tiny)]
        return [sys.executable, "-m", f"jobs.redone_{stage}", *told, "--output", str(tmp_path / f"{name}-out")]

    def result(name: str) -> dict[str, Any]:
        return json.loads((tmp_path / f"{name}-out" / "run.json").read_text())

    subprocess.run(command("whole"), check=True, timeout=300)
    process = subprocess.Popen(command("killed"), start_new_session=True)

    def has_checkpoint() -> bool:
        """One that Ray Train has entered in its books: what a restart finds."""
        for books in (tmp_path / "killed" / "train").glob("*/checkpoint_manager_snapshot.json"):
            with contextlib.suppress(json.JSONDecodeError):  # being written
                return bool(json.loads(books.read_text())["latest_checkpoint_result"])
        return False

    eventually(lambda: has_checkpoint() or process.poll() is not None, 200, "a first checkpoint")
    assert process.poll() is None, "it was done before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    again = subprocess.run(command("killed"), check=True, timeout=300, capture_output=True, text=True)
    assert "resumed from a checkpoint" in again.stdout + again.stderr
    whole, killed = result("whole"), result("killed")
    assert killed["curve"] == whole["curve"]
    assert killed.get("rewards") == whole.get("rewards")
    assert len(whole["curve"]) > 20
    # The loss of answers compared with each other is about 0, whatever they are worth.
    assert len({value for _, value in whole.get("rewards", whole["curve"])}) > 10
    once_more = subprocess.run(command("killed"), check=True, timeout=120, capture_output=True, text=True)
    assert "nothing to do" in once_more.stdout
    card = (tmp_path / "killed-out" / "README.md").read_text()
    assert {"prefer": "| wrong options |", "reward": "| query_gen |"}.get(stage, "| emotion | 1 |") in card
