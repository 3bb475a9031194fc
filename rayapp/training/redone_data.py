"""What the RedOne stages learn from, prepared by their recipe: packed rows, pairs of answers, or questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
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
from rayapp.redone.corpus.quality import mean_losses
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
from rayapp.redone.training.rewards import RewardQuestion
from rayapp.redone.training.rows import examples_of, tokens_of
from rayapp.terminal import table
from rayapp.training.redone_stage import Report, Say, StageOptions


class DataError(UserError):
    """A recipe asks for training data that cannot be made."""


def evaluation_texts(data: Path, official: Path | None) -> Contamination:
    """Notes of every dev and test split that this project is measured on, and of the official files if given."""
    texts = [text for s in LABEL_SETS for split in ("dev", "test") for text in read_split(data, s, split)[0]]
    texts += [e.note or e.question for name in SETS for split in ("dev", "test") for e in examples(data, name, split)]
    if official is not None:
        texts += [e.note or e.question for e in official_examples(official)]
    return Contamination(texts)


def packed_data(config: Config, options: StageOptions, base: str, say: Say) -> tuple[Prepared, Report]:
    """Stages 1 and 2. Raises UserError."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    recipe, data = options.recipe, options.data
    tokenizer = AutoTokenizer.from_pretrained(base)
    scores: Callable[[list[str]], np.ndarray] | None = None
    if any(source.kind == "text" for source in recipe.sources) and recipe.cleaning.quality is not None:
        small = AutoModelForCausalLM.from_pretrained(base, dtype="auto").eval()
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token

        def quality(texts: list[str]) -> np.ndarray:
            say(f"      quality of {len(texts):,} texts")
            return mean_losses(small, tokenizer, texts)

        scores = quality

    known = evaluation_texts(data, options.official)
    prepared = Preparation(recipe, data, tokenizer, known=known, scores=scores).run()
    prepared.report["trained"] = {"taken": examples_of(prepared.train), "tokens": tokens_of(prepared.train)}
    reasons = sorted(
        {why for counts in prepared.report.values() for why in counts} - {"read", "taken", "passes", "tokens"}
    )
    rows = [
        [name, *(counts.get(c, 0) for c in ("read", "taken", *reasons))] for name, counts in prepared.report.items()
    ]
    say(table("data", ["source", "read", "taken", *reasons], rows))
    return prepared, prepared.report


def preference_data(config: Config, options: StageOptions, base: str, say: Say) -> tuple[list[Pair], Report]:
    """Stage 3: wrong options, the model's own mistakes, judged pairs; shuffled, and cut at the budget."""
    from transformers import AutoTokenizer

    recipe, data = options.recipe, options.data
    tokenizer = AutoTokenizer.from_pretrained(base)
    chat, rng = ChatTokens(tokenizer), np.random.default_rng(recipe.seed)
    known = evaluation_texts(data, options.official)
    questions = _questions(recipe, data, known, wanted=recipe.preference.mistakes, seed=recipe.seed + 1000)
    report: Report = {"asked": {"read": len(questions)}}

    def pair(example: Example, rejected: str) -> Pair:
        prompt = chat.prompt(example, recipe.question_tokens)
        cut = recipe.answer_tokens
        return Pair(prompt, chat.answer(example.answer)[:cut], chat.answer(rejected)[:cut])

    wrong_options = [pair(e, wrong) for e in questions if (wrong := option_rejected(e, rng)) is not None]
    samples: list[list[str]] = [[] for _ in questions]
    if recipe.preference.samples:
        serving = merged(base, Path(options.adapter), config.llm_cache) if options.adapter else base
        samples = _sampled(questions, chat, folder=serving, recipe=recipe, say=say)
    mistakes = [
        pair(e, wrong) for e, answers in zip(questions, samples, strict=True) if (wrong := mistake_rejected(e, answers))
    ]
    judged = []
    if recipe.preference.judged:
        for row in judged_pairs(data / recipe.preference.judged, recipe.preference.judged_limit):
            example = Example("instruction", row.question, row.chosen)
            if len(chat.prompt(example, 10**6)) <= recipe.question_tokens:
                judged.append(pair(example, row.rejected))
    pairs = [*wrong_options, *mistakes, *judged]
    pairs = [pairs[n] for n in rng.permutation(len(pairs))]
    used = np.cumsum([2 * len(p.prompt) + len(p.chosen) + len(p.rejected) for p in pairs])
    trained = pairs[: int(np.searchsorted(used, recipe.tokens, side="right"))]
    for name, part in (("wrong options", wrong_options), ("own mistakes", mistakes), ("judged pairs", judged)):
        report[name] = {"taken": len(part)}
    report["trained"] = {"taken": len(trained), "tokens": int(used[len(trained) - 1]) if trained else 0}
    counts = [[name, source.get("taken", source.get("read"))] for name, source in report.items()]
    say(table("pairs", ["", "pairs"], counts))
    return trained, report


def reward_data(config: Config, options: StageOptions, base: str, say: Say) -> tuple[list[RewardQuestion], Report]:
    """Stage 4: as many questions as the budget has room for, with all their answers. Raises UserError."""
    from transformers import AutoTokenizer

    recipe, data = options.recipe, options.data
    for source in recipe.sources:
        if source.kind not in ("task", "examples"):
            raise DataError(f"source {source.name}: kind {source.kind} has no reward; use task or examples")
    chat, rng = ChatTokens(AutoTokenizer.from_pretrained(base)), np.random.default_rng(recipe.seed)
    known = evaluation_texts(data, options.official)
    wanted = recipe.tokens // (recipe.reward.samples * recipe.reward.answer_tokens)
    questions = _questions(recipe, data, known, wanted=wanted, seed=recipe.seed + 2000)
    for task in {example.task for example in questions}:
        task_of(task)  # now, and not in the middle of training
    selected, used = list[RewardQuestion](), 0
    for n in rng.permutation(len(questions)):
        example = reworded(questions[n], rng) if rng.random() < recipe.reword else questions[n]
        prompt = chat.prompt(example, recipe.question_tokens)
        used += recipe.reward.samples * (len(prompt) + recipe.reward.answer_tokens)
        if used > recipe.tokens:
            break
        selected.append(RewardQuestion(prompt, example))
    step = recipe.batch // recipe.reward.samples
    selected = selected[: len(selected) // step * step]
    if not selected:
        raise DataError(f"tokens: {recipe.tokens} is not enough for the answers of one step; raise it or lower batch")
    taken = Counter(question.example.task for question in selected)
    tokens = sum(recipe.reward.samples * (len(q.prompt) + recipe.reward.answer_tokens) for q in selected)
    report = {name: {"taken": count} for name, count in sorted(taken.items())}
    report["trained"] = {"taken": len(selected), "tokens": tokens}
    say(table("questions", ["", "questions"], [[name, counts["taken"]] for name, counts in report.items()]))
    return selected, report


def _questions(recipe: Recipe, data: Path, known: Contamination, *, wanted: int, seed: int) -> list[Example]:
    """About `wanted` examples, each source's share of them, without those that repeat an evaluation set."""
    weights = np.array([source.weight for source in recipe.sources])
    questions: list[Example] = []
    for source, share in zip(recipe.sources, weights / weights.sum(), strict=True):
        fresh = (e for e in source_examples(source, data, "train", seed) if not known.repeats(e.note))
        questions += list(islice(fresh, max(1, round(wanted * share))))
    return questions


def _sampled(questions: list[Example], chat: ChatTokens, *, folder: str, recipe: Recipe, say: Say) -> list[list[str]]:
    """The model's answers to each question, `preference.samples` of them."""
    preference = recipe.preference
    connect_ray(quiet=True)
    rows = [{"n": n, "ids": chat.prompt(e, recipe.question_tokens)} for n, e in enumerate(questions)]
    # No per-request seeds: for a long prompt in chunks vLLM rewinds such a seed's generator, which CPU generators
    # cannot do, and the engine dies (0.32). The engine's seed makes the answers differ.
    sampling = {"temperature": preference.temperature, "n": 1, "max_tokens": 48, "top_p": 0.95}

    def ask(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "tokenized_prompt": [int(i) for i in row["ids"]], "sampling_params": sampling}

    def conclude(row: dict[str, Any]) -> dict[str, Any]:
        return {"n": row["n"], "answer": row["generated_text"]}

    repeated = [row for row in rows for _ in range(preference.samples)]
    say(f"      sampling {len(repeated):,} answers of the model")
    samples: list[list[str]] = [[] for _ in questions]
    for row in answered(in_small_blocks(repeated), folder, ask, conclude).iter_rows():
        samples[row["n"]].append(row["answer"])
    return samples
