"""One run of post-training as one YAML: model, sources with weights, budget, method, optimiser, machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

import msgspec

from rayapp.errors import UserError
from rayapp.llm.base_model import PACKAGED
from rayapp.parsing import Unreadable, convert, yaml_value
from rayapp.redone.corpus.clean_text import Cleaning
from rayapp.redone.corpus.source import Source
from rayapp.redone.public_sets.mixture import UNANSWERED
from rayapp.section import (
    Count,
    Dropout,
    Few,
    Many,
    Natural,
    Norm,
    PositiveRate,
    Rate,
    Seconds,
    Seed,
    Share,
    Size,
    Temperature,
    Warmup,
    Weight,
)

Stage = Literal["pretrain", "finetune", "prefer", "reward"]


class RecipeError(UserError):
    """A recipe cannot be used; the message names the key at fault."""


class Lora(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PEFT's LoraConfig; `targets` all-linear: every linear layer but the head."""

    r: Size = 32
    alpha: Size = 64
    dropout: Dropout = 0.0
    targets: str | list[str] = "all-linear"


class Preference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stage 3. `beta` of DPO and the weight of its SFT term; `mistakes`: questions for which the model's own wrong
    answers are sampled, `samples` of each (0: none), `judged`: a Parquet file of judged pairs below the data folder."""

    beta: Weight = 0.1
    sft_weight: Weight = 0.2
    mistakes: Natural = 600
    samples: Few = 2
    temperature: Temperature = 0.8
    judged: str = ""
    judged_limit: Natural = 0


class Reward(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fourth stage. `samples` answers to every question, at `temperature`, of at most `answer_tokens`; the ratio
    of new to old probability is clipped at 1 - `low` and 1 + `high` (DAPO's values). `mask_truncated`: truncated
    answers have no loss. `vllm`: share of each GPU's memory for a vLLM engine that samples; 0: sample with
    transformers."""

    samples: Few = 8
    temperature: Temperature = 1.0
    answer_tokens: Count = 48
    low: Share = 0.2
    high: Weight = 0.28
    mask_truncated: bool = True
    vllm: Share = 0.0


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`tokens`: token budget, counting prefixes shared within a row once. `length`: of a packed row. `batch`: rows
    (pairs, sampled answers) per step over all workers; `micro_batch`: rows per worker at a time. `evenness` 0: all
    answer tokens have equal weight; 1: all sources' examples do, by the mean length of the source's answers (by each
    answer's length the shortest, `[]`, would dominate). `reword`: share of task examples that are paraphrased
    (`tasks/wording`). `compile`: torch.compile the layers: a minute at the start, then a third more tokens per second;
    on a CPU it needs a C++ compiler. `sharding` on GPUs: none (data parallel), fsdp, or deepspeed with `deepspeed` as
    its configuration."""

    stage: Stage
    sources: list[Source]
    name: str = ""
    model: str = PACKAGED
    tokens: Many = 300_000
    length: Count = 1024
    question_tokens: Count = 256
    answer_tokens: Count = 128
    batch: Count = 4
    micro_batch: Count = 1
    method: Literal["lora", "full"] = "lora"
    lora: Lora = Lora()
    lr: PositiveRate = 5e-4
    warmup: Warmup = 0.05
    weight_decay: Rate = 0.0
    max_grad_norm: Norm = 1.0
    evenness: Share = 0.5
    reword: Share = 0.0
    seed: Seed = 0
    bf16: bool = True
    gradient_checkpointing: bool = False
    compile: bool = False
    workers: Few = 1
    gpus: bool = False
    sharding: Literal["none", "fsdp", "deepspeed"] = "none"
    deepspeed: dict[str, object] = {}
    checkpoint_s: Seconds = 60.0
    evaluate_s: Seconds = 300.0
    evaluate_rows: Natural = 16
    cleaning: Cleaning = Cleaning()
    preference: Preference = Preference()
    reward: Reward = Reward()


def load_recipe(file: Path, stage: str, overrides: dict[str, object] | None = None) -> Recipe:
    """Raises RecipeError with the key at fault."""
    try:
        raw = yaml_value(file.read_bytes(), what=f"recipe {file}")
        if not isinstance(raw, dict):
            raise RecipeError(f"recipe {file} is no mapping of keys to values; see docs/reference/recipe-yaml.md")
        chosen = {k: v for k, v in (overrides or {}).items() if v is not None}
        given = {"stage": stage, "name": file.stem, **cast("dict[str, object]", raw), **chosen}
        recipe = convert(given, Recipe, what=f"recipe {file}")
    except OSError as error:
        raise RecipeError(f"recipe {file} cannot be read: {error.strerror}") from None
    except Unreadable as error:
        raise RecipeError(f"{error}; see docs/reference/recipe-yaml.md") from None
    if recipe.stage != stage:
        raise RecipeError(f"recipe {file} is of stage {recipe.stage}; this job runs {stage}")
    if not recipe.sources or sum(source.weight for source in recipe.sources) <= 0:
        raise RecipeError(f"recipe {file}: sources have no weight; give at least one a weight above 0")
    for source in recipe.sources if stage != "reward" else ():
        if source.kind == "task" and (source.path or source.name) in UNANSWERED:
            raise RecipeError(
                f"recipe {file}: source {source.name} has questions without answers: have jobs.redone_answers find "
                "some and give its file as a source of kind examples, or use it in stage 4"
            )
    if recipe.sharding != "none" and (not recipe.gpus or recipe.workers < 2):
        raise RecipeError(
            f"recipe {file}: sharding: {recipe.sharding} divides a model among GPUs; give gpus: true and workers: 2 or "
            "more, or leave it out (workers without GPUs each hold the whole model)"
        )
    if stage == "reward" and (recipe.reward.samples < 2 or recipe.batch % recipe.reward.samples):
        raise RecipeError(
            f"recipe {file}: reward: samples: {recipe.reward.samples} of a question are compared with each other "
            f"within a batch of {recipe.batch}; give 2 or more, and a batch that is a multiple of it"
        )
    return recipe


def only_sources(recipe: Recipe, names: Sequence[str]) -> Recipe:
    """For a model of a single task, beside the one of all. Raises RecipeError for a name that the recipe has not."""
    there = [source.name for source in recipe.sources]
    for name in names:
        if name not in there:
            raise RecipeError(f"{name}: the recipe has no such source; it has {', '.join(there)}")
    return msgspec.structs.replace(recipe, sources=[source for source in recipe.sources if source.name in names])
