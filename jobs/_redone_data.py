"""What the RedOne stages learn from, prepared by their recipe: packed rows, or pairs of answers."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from jobs._generation import answered, in_small_blocks
from jobs._job import connect_ray, console, print_table
from jobs._redone_stage import StageOptions
from rayapp.config import Config
from rayapp.redone.adapter import merged
from rayapp.redone.corpus.contamination import Contamination
from rayapp.redone.corpus.prepare import Preparation, Prepared
from rayapp.redone.corpus.quality import losses
from rayapp.redone.corpus.source import source_examples
from rayapp.redone.label_sets import SETS as LABEL_SETS
from rayapp.redone.label_sets import read_split
from rayapp.redone.public_sets.mixture import SETS, examples
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.official import official_examples
from rayapp.redone.training.chat import ChatTokens
from rayapp.redone.training.preference import Pair, judged_pairs, mistake_rejected, option_rejected
from rayapp.redone.training.recipe import Recipe
from rayapp.redone.training.rows import examples_of, tokens_of


def evaluation_texts(data: Path, official: Path | None) -> Contamination:
    """Notes of every dev and test split that this project is measured on, and of the official files if given."""
    found = [text for s in LABEL_SETS for split in ("dev", "test") for text in read_split(data, s, split)[0]]
    found += [e.note or e.question for name in SETS for split in ("dev", "test") for e in examples(data, name, split)]
    if official is not None:
        found += [e.note or e.question for e in official_examples(official)]
    return Contamination(found)


def packed_data(config: Config, options: StageOptions, base: str) -> tuple[Prepared, dict[str, Any]]:
    """Stages 1 and 2. Raises ConfigError."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    recipe, data = options.recipe, options.data
    tokenizer = AutoTokenizer.from_pretrained(base)
    scores = None
    if any(source.kind == "text" for source in recipe.sources) and recipe.cleaning.quality is not None:
        small = AutoModelForCausalLM.from_pretrained(base, dtype="auto").eval()
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token

        def scores(texts: list[str]) -> np.ndarray:
            console.print(f"      quality of {len(texts):,} texts")
            return losses(small, tokenizer, texts)

    known = evaluation_texts(data, options.official)
    prepared = Preparation(recipe, data, tokenizer, known, scores).run()
    prepared.report["trained"] = {"taken": examples_of(prepared.train), "tokens": tokens_of(prepared.train)}
    reasons = sorted(
        {why for counts in prepared.report.values() for why in counts} - {"read", "taken", "passes", "tokens"}
    )
    table = [
        [name, *(counts.get(c, 0) for c in ("read", "taken", *reasons))] for name, counts in prepared.report.items()
    ]
    print_table("data", ["source", "read", "taken", *reasons], table)
    return prepared, prepared.report


def preference_data(config: Config, options: StageOptions, base: str) -> tuple[list[Pair], dict[str, Any]]:
    """Stage 3: wrong options, the model's own mistakes, judged pairs; shuffled, and cut at the budget."""
    from transformers import AutoTokenizer

    recipe, data = options.recipe, options.data
    tokenizer = AutoTokenizer.from_pretrained(base)
    chat, rng = ChatTokens(tokenizer), np.random.default_rng(recipe.seed)
    known = evaluation_texts(data, options.official)
    weights = np.array([source.weight for source in recipe.sources])
    shares = weights / weights.sum()
    wanted = recipe.preference.mistakes
    asked: list[Example] = []
    for source, share in zip(recipe.sources, shares, strict=True):
        fresh = (e for e in source_examples(source, data, "train", recipe.seed + 1000) if not known.repeats(e.note))
        asked += list(islice(fresh, max(1, round(wanted * share))))
    report: dict[str, Any] = {"asked": {"read": len(asked)}}

    def pair(example: Example, rejected: str) -> Pair:
        prompt = chat.prompt(example, recipe.question_tokens)
        cut = recipe.answer_tokens
        return Pair(prompt, chat.answer(example.answer)[:cut], chat.answer(rejected)[:cut])

    wrong_options = [pair(e, wrong) for e in asked if (wrong := option_rejected(e, rng)) is not None]
    said: list[list[str]] = [[] for _ in asked]
    if recipe.preference.samples:
        serving = merged(base, Path(options.adapter), config.state_path / "llm") if options.adapter else base
        said = _sampled(asked, chat, serving, recipe)
    mistakes = [
        pair(e, wrong) for e, answers in zip(asked, said, strict=True) if (wrong := mistake_rejected(e, answers))
    ]
    judged = []
    if recipe.preference.judged:
        for row in judged_pairs(data / recipe.preference.judged, recipe.preference.judged_limit):
            example = Example("instruction", row.question, row.chosen)
            if len(chat.prompt(example, 10**6)) <= recipe.question_tokens:
                judged.append(pair(example, row.rejected))
    found = [*wrong_options, *mistakes, *judged]
    found = [found[n] for n in rng.permutation(len(found))]
    used = np.cumsum([2 * len(one.prompt) + len(one.chosen) + len(one.rejected) for one in found])
    kept = found[: int(np.searchsorted(used, recipe.tokens, side="right"))]
    for name, pairs in (("wrong options", wrong_options), ("own mistakes", mistakes), ("judged pairs", judged)):
        report[name] = {"taken": len(pairs)}
    report["trained"] = {"taken": len(kept), "tokens": int(used[len(kept) - 1]) if kept else 0}
    print_table(
        "pairs", ["", "pairs"], [[name, counts.get("taken", counts.get("read"))] for name, counts in report.items()]
    )
    return kept, report


def _sampled(asked: list[Example], chat: ChatTokens, folder: str, recipe: Recipe) -> list[list[str]]:
    """The model's answers to each question, `preference.samples` of them."""
    preference = recipe.preference
    connect_ray(quiet=True)
    rows = [{"n": n, "ids": chat.prompt(e, recipe.question_tokens)} for n, e in enumerate(asked)]
    sampling = {"temperature": preference.temperature, "n": 1, "max_tokens": 48, "top_p": 0.95}

    def ask(row: dict[str, Any]) -> dict[str, Any]:
        prompt = [int(i) for i in row["ids"]]
        return {**row, "tokenized_prompt": prompt, "sampling_params": {**sampling, "seed": int(row["seed"])}}

    def conclude(row: dict[str, Any]) -> dict[str, Any]:
        return {"n": row["n"], "said": row["generated_text"]}

    seeded = [{**row, "seed": s} for row in rows for s in range(preference.samples)]
    console.print(f"      sampling {len(seeded):,} answers of the model itself")
    found: list[list[str]] = [[] for _ in asked]
    for row in answered(in_small_blocks(seeded), folder, ask, conclude).iter_rows():
        found[row["n"]].append(row["said"])
    return found
