"""A post-training stage as a job: prepare the data once, train (resumable), export a folder that vLLM serves."""

from __future__ import annotations

import functools
import hashlib
import json
import pickle
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
import ray.train
import ray.train.torch
from ray.train.huggingface.transformers import RayTrainReportCallback

from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.errors import UserError
from rayapp.llm.adapter import is_adapter, merged
from rayapp.llm.base_model import model_folder
from rayapp.llm.model_version import model_version
from rayapp.process_group import GroupConfig
from rayapp.redone.recipe import Recipe, load_recipe, only_sources
from rayapp.redone.training.model_card import model_card
from rayapp.training.mailbox import Mailbox
from rayapp.training.redone_loop import train_stage


class StageError(UserError):
    """A training stage cannot start, or it ended without a result."""


class StageOptions(NamedTuple):
    """`adapter`: folder of an adapter to continue, so that one adapter holds all stages; '' starts a new one."""

    recipe: Recipe
    adapter: str
    output: Path
    data: Path
    official: Path | None


Say = Callable[[object], None]  # shows a line or a table
Report = dict[str, dict[str, int]]  # counts by source and reason
# (configuration, options, the base model's folder, say) to what the workers train on, and a report of it.
Prepare = Callable[[Config, StageOptions, str, Say], tuple[object, Report]]


def stage_options(stage: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options that all stages share."""

    def decorate(main: Callable[..., Any]) -> Callable[..., Any]:
        @click.option(
            "--data", required=True, type=click.Path(path_type=Path), help="Folder that contains the sources."
        )
        @click.option("--recipe", required=True, type=click.Path(path_type=Path), help="Recipe YAML; see jobs/configs.")
        @click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder for the result.")
        @click.option("--adapter", default="", help="Continue training this LoRA adapter; default: a new one.")
        @click.option("--model", help="Base model; default: the recipe's.")
        @click.option("--tokens", type=click.IntRange(1), help="Token budget; default: the recipe's.")
        @click.option("--seed", type=int, help="Seed; default: the recipe's.")
        @click.option("--only", multiple=True, help="Use only this source of the recipe (repeatable).")
        @click.option(
            "--official", type=click.Path(path_type=Path), help="Folder of benchmark files to exclude from training."
        )
        @functools.wraps(main)
        def run(
            config: Config,
            *,
            data: Path,
            recipe: Path,
            output: Path,
            adapter: str,
            only: tuple[str, ...],
            official: Path | None,
            **overrides: Any,
        ) -> Any:
            chosen = load_recipe(recipe, stage, overrides)
            if only:
                chosen = only_sources(chosen, only)
            return main(config, StageOptions(chosen, adapter, output, data, official))

        return run

    return decorate


def run_stage(config: Config, options: StageOptions, *, prepare: Prepare, say: Say) -> dict[str, Any]:
    """Train the recipe and write the output: the adapter (or model), README.md and run.json, which is returned.

    An interrupted run resumes; a finished one is not repeated. Raises UserError.
    """
    recipe, adapter, output, data, official = options
    base = model_folder(recipe.model, config.llm_cache)
    if adapter and not is_adapter(Path(adapter)):
        raise StageError(f"adapter {adapter}: it has no adapter_config.json; give a folder that PEFT saved")
    if adapter and recipe.method == "full":
        raise StageError(
            "--adapter continues LoRA training, and the recipe's method is full; merge the adapter into the model"
        )
    version = f"{model_version(base)}+{_digest(Path(adapter))}" if adapter else model_version(base)
    key = json.dumps([msgspec.to_builtins(recipe), version, str(data.resolve()), str(official or "")], sort_keys=True)
    run = f"redone-{recipe.stage}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    if (output / "run.json").is_file() and json.loads((output / "run.json").read_text()).get("run") == run:
        say(f"{output} already holds the result of this run; nothing to do (another seed makes another run)")
        return dict(json.loads((output / "run.json").read_text()))
    storage = (config.state_path / "train").resolve()
    prepared_folder = storage / f"{run}-data"
    prepared_folder.mkdir(parents=True, exist_ok=True)
    say(f"[1/3] preparing data for {recipe.name} from {data}")
    if not (prepared_folder / "report.json").is_file():
        training_data, report = prepare(config, options, base, say)
        (prepared_folder / "data.pkl").write_bytes(pickle.dumps(training_data))
        (prepared_folder / "report.json").write_text(json.dumps(report))
    report = json.loads((prepared_folder / "report.json").read_text())
    say(f"[2/3] training {version} (run {run}; an interrupted run resumes)")
    connect_ray()
    with Mailbox(lambda line: say(f"      {line}")) as sender:
        result = ray.train.torch.TorchTrainer(
            train_stage,
            train_loop_config={
                "recipe": recipe,
                "base": base,
                "adapter": str(Path(adapter).resolve()) if adapter else "",
                "data": str(prepared_folder / "data.pkl"),
                "say": sender,
            },
            torch_config=GroupConfig(),
            scaling_config=ray.train.ScalingConfig(
                num_workers=recipe.workers,
                use_gpu=recipe.gpus,
                resources_per_worker=None if recipe.gpus else {"CPU": 2},
            ),
            run_config=ray.train.RunConfig(
                name=run,
                storage_path=str(storage),
                failure_config=ray.train.FailureConfig(max_failures=3),
                checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
            ),
        ).fit()
    if result.checkpoint is None:
        raise StageError("training ended without a checkpoint; see the log above")
    say(f"[3/3] writing {output}")
    with result.checkpoint.as_directory() as folder:
        about = _export(Path(folder) / RayTrainReportCallback.CHECKPOINT_NAME, recipe, output)
    about |= {"run": run, "from": version, "data": report, "recipe": msgspec.to_builtins(recipe)}
    about["before"] = _stages_of(Path(adapter)) if adapter else []
    if recipe.method == "lora":
        served = merged(base, output, config.llm_cache)
        say(f"      merged for serving: {served}")
        about["version"] = model_version(served)
    else:
        about["version"] = model_version(str(output))
    (output / "run.json").write_text(json.dumps(about, indent=1))
    (output / "README.md").write_text(model_card(recipe, about))
    shutil.rmtree(storage / run, ignore_errors=True)
    shutil.rmtree(prepared_folder, ignore_errors=True)
    return about


def _export(checkpoint: Path, recipe: Recipe, output: Path) -> dict[str, Any]:
    """The learned weights out of a checkpoint, in bfloat16; the curve of losses as the result."""
    import safetensors.torch
    import torch

    output.mkdir(parents=True, exist_ok=True)
    state = json.loads((checkpoint / "trainer_state.json").read_text())
    for file in checkpoint.iterdir():
        if file.suffix == ".safetensors":
            weights = safetensors.torch.load_file(file)
            halved = {name: w.to(torch.bfloat16) if w.is_floating_point() else w for name, w in weights.items()}
            safetensors.torch.save_file(halved, output / file.name, metadata={"format": "pt"})
            (output / file.name).chmod(0o644)  # a temporary file's mode would keep other users' servers out
        elif (file.name.endswith(".json") and file.name not in ("trainer_state.json",)) or file.suffix == ".jinja":
            shutil.copy(file, output / file.name)
    if recipe.method == "lora":
        # The base by its name, not by this machine's folder.
        settings = json.loads((output / "adapter_config.json").read_text())
        settings["base_model_name_or_path"] = recipe.model
        (output / "adapter_config.json").write_text(json.dumps(settings, indent=1, sort_keys=True))
    curve = [[row["step"], row["loss"]] for row in state["log_history"] if "loss" in row]
    rewards = [[row["step"], row["reward"]] for row in state["log_history"] if "reward" in row]
    held_out = [[row["step"], row["eval_loss"]] for row in state["log_history"] if "eval_loss" in row]
    # The median: the first step compiles, and a run that was cut off has two of them.
    seconds = statistics.median(row["seconds"] for row in state["log_history"] if "seconds" in row)
    result = {"steps": state["global_step"], "step_seconds": seconds, "curve": curve, "held_out": held_out}
    return result | ({"rewards": rewards} if rewards else {})


def _stages_of(adapter: Path) -> list[dict[str, Any]]:
    """What an adapter went through until now, the first stage first; nothing where another program made it."""
    if not (adapter / "run.json").is_file():
        return []
    about = json.loads((adapter / "run.json").read_text())
    recipe = about["recipe"]
    counts = about["data"].get("trained", {})
    last = {"stage": recipe["stage"], "recipe": recipe["name"], "steps": about["steps"], **counts}
    return [*about.get("before", []), last]


def _digest(adapter: Path) -> str:
    return hashlib.sha256((adapter / "adapter_model.safetensors").read_bytes()).hexdigest()[:8]
