"""The README of a trained model, as the Hugging Face hub reads it."""

from __future__ import annotations

from typing import Any

import msgspec

from rayapp.redone.recipe import Recipe

STAGES = {
    "pretrain": "continued pretraining",
    "finetune": "supervised fine-tuning",
    "prefer": "preference optimisation",
    "reward": "reinforcement learning on task rewards",
}


def model_card(recipe: Recipe, about: dict[str, Any]) -> str:
    """`about`: the content of run.json."""
    trained = about["data"].get("trained", {})
    lines = [
        "---",
        f"base_model: {recipe.model}",
        f"library_name: {'peft' if recipe.method == 'lora' else 'transformers'}",
        "pipeline_tag: text-generation",
        "---",
        f"# {recipe.name}",
        "",
        f"{STAGES[recipe.stage].capitalize()} of {about['from']} for social-network tasks (RedOne, arXiv 2507.10605), "
        f"by {recipe.method}: {about['steps']} steps, {trained.get('tokens', 0):,} tokens, "
        f"{trained.get('taken', 0):,} examples.",
        "",
        *_stages_before(about.get("before", [])),
        "## Data",
        "",
        "| source | weight | read | taken | left out |",
        "|---|---:|---:|---:|---|",
    ]
    weights = {source.name: f"{source.weight:g}" for source in recipe.sources}
    # What a stage counts: its sources, or kinds of pairs; a source of pairs is counted within them.
    for name, counts in about["data"].items():
        if name == "trained":
            continue
        left = ", ".join(f"{why} {n:,}" for why, n in counts.items() if why not in ("read", "taken", "passes"))
        lines.append(
            f"| {name} | {weights.get(name, '')} | {counts.get('read', 0):,} | {counts.get('taken', 0):,} | {left} |"
        )
    lines += ["", "## Training", ""]
    for name, curve in (("Loss", about["curve"]), ("Reward", about.get("rewards", []))):
        if curve:
            edge = max(1, len(curve) // 10)
            first, last = (sum(value for _, value in part) / edge for part in (curve[:edge], curve[-edge:]))
            lines.append(f"{name} of the first tenth of the steps {first:.3f}, of the last {last:.3f}.")
    if about["held_out"]:
        lines.append(f"Held-out loss {', '.join(f'{loss:.3f} (step {step})' for step, loss in about['held_out'])}.")
    recipe_yaml = msgspec.yaml.encode(msgspec.to_builtins(recipe)).decode()
    return "\n".join([*lines, "", "## Recipe", "", "```yaml", recipe_yaml.rstrip(), "```", ""])


def _stages_before(stages: list[dict[str, Any]]) -> list[str]:
    """The stages of the adapter before this run."""
    if not stages:
        return []
    rows = [
        f"| {STAGES[s['stage']]} | {s['recipe']} | {s['steps']:,} | {s.get('tokens', 0):,} | {s.get('taken', 0):,} |"
        for s in stages
    ]
    return ["## Before it", "", "| stage | recipe | steps | tokens | examples |", "|---|---|---:|---:|---:|", *rows, ""]
