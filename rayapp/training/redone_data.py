"""What the RedOne stages learn from, prepared by their recipe: packed rows, pairs of answers, or questions."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.errors import UserError
from rayapp.llm.adapter import merged
from rayapp.llm.batch import answered, in_small_blocks
from rayapp.moderation.label_sets import SETS as LABEL_SETS
from rayapp.moderation.label_sets import read_split
from rayapp.redone.corpus.contamination import Contamination
from rayapp.redone.corpus.quality import losses
from rayapp.redone.corpus.source import source_examples
from rayapp.redone.public_sets.mixture import SETS, examples
from rayapp.redone.recipe import Recipe
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.official import official_examples
from rayapp.redone.tasks.registry import task_of
from rayapp.redone.tasks.wording import reworded
from rayapp.redone.training.chat import ChatTokens
from rayapp.redone.training.preference import Pair, judged_pairs, mistake_rejected, option_rejected
from rayapp.redone.training.prepare import Preparation, Prepared
from rayapp.redone.training.rewards import Asked
from rayapp.redone.training.rows import examples_of, tokens_of
from rayapp.terminal import console, print_table
from rayapp.training.redone_stage import StageOptions


class DataError(UserError):
    """A recipe asks for training data that cannot be made."""


def evaluation_texts(data: Path, official: Path | None) -> Contamination:
    """Notes of every dev and test split that this project is measured on, and of the official files if given."""
    found = [text for s in LABEL_SETS for split in ("dev", "test") for text in read_split(data, s, split)[0]]
    found += [e.note or e.question for name in SETS for split in ("dev", "test") for e in examples(data, name, split)]
    if official is not None:
        found += [e.note or e.question for e in official_examples(official)]
    return Contamination(found)


def packed_data(config: Config, options: StageOptions, base: str) -> tuple[Prepared, dict[str, Any]]:
    """Stages 1 and 2. Raises UserError."""
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
    asked = _questions(recipe, data, known, recipe.preference.mistakes, recipe.seed + 1000)
    report: dict[str, Any] = {"asked": {"read": len(asked)}}

    def pair(example: Example, rejected: str) -> Pair:
        prompt = chat.prompt(example, recipe.question_tokens)
        cut = recipe.answer_tokens
        return Pair(prompt, chat.answer(example.answer)[:cut], chat.answer(rejected)[:cut])

    wrong_options = [pair(e, wrong) for e in asked if (wrong := option_rejected(e, rng)) is not None]
    said: list[list[str]] = [[] for _ in asked]
    if recipe.preference.samples:
        serving = merged(base, Path(options.adapter), config.llm_cache) if options.adapter else base
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


def reward_data(config: Config, options: StageOptions, base: str) -> tuple[list[Asked], dict[str, Any]]:
    """Stage 4: as many questions as the budget has room for, with all their answers. Raises UserError."""
    from transformers import AutoTokenizer

    recipe, data = options.recipe, options.data
    for source in recipe.sources:
        if source.kind not in ("task", "examples"):
            raise DataError(f"source {source.name}: kind {source.kind} has no reward; use task or examples")
    chat, rng = ChatTokens(AutoTokenizer.from_pretrained(base)), np.random.default_rng(recipe.seed)
    known = evaluation_texts(data, options.official)
    wanted = recipe.tokens // (recipe.reward.samples * recipe.reward.answer_tokens)
    questions = _questions(recipe, data, known, wanted, recipe.seed + 2000)
    for task in {example.task for example in questions}:
        task_of(task)  # now, and not in the middle of training
    found, used = list[Asked](), 0
    for n in rng.permutation(len(questions)):
        example = reworded(questions[n], rng) if rng.random() < recipe.reword else questions[n]
        prompt = chat.prompt(example, recipe.question_tokens)
        used += recipe.reward.samples * (len(prompt) + recipe.reward.answer_tokens)
        if used > recipe.tokens:
            break
        found.append(Asked(prompt, example))
    step = recipe.batch // recipe.reward.samples
    found = found[: len(found) // step * step]
    if not found:
        raise DataError(f"tokens: {recipe.tokens} is not enough for the answers of one step; raise it or lower batch")
    taken = Counter(one.example.task for one in found)
    tokens = sum(recipe.reward.samples * (len(one.prompt) + recipe.reward.answer_tokens) for one in found)
    report = {name: {"taken": count} for name, count in sorted(taken.items())}
    report["trained"] = {"taken": len(found), "tokens": tokens}
    print_table("questions", ["", "questions"], [[name, counts["taken"]] for name, counts in report.items()])
    return found, report


def _questions(recipe: Recipe, data: Path, known: Contamination, wanted: int, seed: int) -> list[Example]:
    """About `wanted`, of each source its share, without what repeats an evaluation set."""
    weights = np.array([source.weight for source in recipe.sources])
    found: list[Example] = []
    for source, share in zip(recipe.sources, weights / weights.sum(), strict=True):
        fresh = (e for e in source_examples(source, data, "train", seed) if not known.repeats(e.note))
        found += list(islice(fresh, max(1, round(wanted * share))))
    return found


def _sampled(asked: list[Example], chat: ChatTokens, folder: str, recipe: Recipe) -> list[list[str]]:
    """The model's answers to each question, `preference.samples` of them."""
    preference = recipe.preference
    connect_ray(quiet=True)
    rows = [{"n": n, "ids": chat.prompt(e, recipe.question_tokens)} for n, e in enumerate(asked)]
    # Without seeds of their own: where a long prompt comes in parts, vLLM turns such a seed's generator back, which those
    # of CPUs cannot do, and the engine dies (0.32). The engine's own seed makes the answers differ.
    sampling = {"temperature": preference.temperature, "n": 1, "max_tokens": 48, "top_p": 0.95}

    def ask(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "tokenized_prompt": [int(i) for i in row["ids"]], "sampling_params": sampling}

    def conclude(row: dict[str, Any]) -> dict[str, Any]:
        return {"n": row["n"], "said": row["generated_text"]}

    repeated = [row for row in rows for _ in range(preference.samples)]
    console.print(f"      sampling {len(repeated):,} answers of the model itself")
    found: list[list[str]] = [[] for _ in asked]
    for row in answered(in_small_blocks(repeated), folder, ask, conclude).iter_rows():
        found[row["n"]].append(row["said"])
    return found
