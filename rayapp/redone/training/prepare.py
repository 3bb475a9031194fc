"""From a recipe to packed rows: sampled by weight, cleaned, decontaminated and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rayapp.llm.language_model import LanguageModel
from rayapp.llm.offline import NoAnswers
from rayapp.moderation.label_sets import COVERED, LabelSet, read_split, set_named
from rayapp.moderation.moderation import Moderation
from rayapp.moderation.policy import load_policy
from rayapp.redone.corpus.clean_text import CleanText, Scores
from rayapp.redone.corpus.contamination import Contamination
from rayapp.redone.corpus.source import Source, source_examples, texts
from rayapp.redone.recipe import Recipe
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.query_corr import YES_NO
from rayapp.redone.tasks.wording import reworded
from rayapp.redone.training.chat import ChatTokens
from rayapp.redone.training.packing import IGNORED, PackedRow, Piece, pack
from rayapp.search.relevance import Relevance

MEASURED = 64  # examples from which the length of a source's answers is estimated


class Prepared(NamedTuple):
    """`report`: by source, the numbers read, removed by reason, and taken."""

    train: list[PackedRow]
    held_out: list[PackedRow]
    report: dict[str, dict[str, int]]


class Preparation:
    """One recipe over one data folder, for one tokenizer. `known`: questions and notes of the evaluation sets."""

    def __init__(
        self, recipe: Recipe, folder: Path, tokenizer: Any, *, known: Contamination, scores: Scores | None = None
    ) -> None:
        self.recipe = recipe
        self.folder = folder
        self.chat = ChatTokens(tokenizer)
        self.tokenizer = tokenizer
        self.known = known
        self.scores = scores
        self.report: dict[str, Counter[str]] = {}
        self.moderation: Moderation | None = None
        self.relevance: Relevance | None = None
        self.clean: dict[str, CleanText] = {}
        self.weights: dict[str, float] = {}

    def run(self) -> Prepared:
        """Sample, clean and pack up to the token budget. Raises UserError."""
        rng = np.random.default_rng(self.recipe.seed)
        weights = np.array([source.weight for source in self.recipe.sources])
        streams = [self._endless(source) for source in self.recipe.sources]
        drawn: list[Piece] = []
        used, prefixes = 0, set[tuple[int, ...]]()
        while used < self.recipe.tokens and weights.sum() > 0:
            which = int(rng.choice(len(streams), p=weights / weights.sum()))
            piece = next(streams[which], None)
            if piece is None:
                weights[which] = 0
                continue
            drawn.append(piece)
            used += len(piece.ids)
            if piece.prefix not in prefixes:
                prefixes.add(piece.prefix)
                used += len(piece.prefix)
            self.report[self.recipe.sources[which].name]["taken"] += 1
        rows = list(pack(drawn, self.recipe.length))
        rows = [rows[n] for n in rng.permutation(len(rows))]
        total = np.cumsum([len(row.ids) for row in rows])
        rows = rows[: int(np.searchsorted(total, self.recipe.tokens)) + 1]
        held_out = [piece for s in self.recipe.sources for piece in self._few(s, self.recipe.evaluate_rows * 4)]
        report = {name: dict(counts) for name, counts in self.report.items()}
        return Prepared(rows, list(pack(held_out, self.recipe.length))[: self.recipe.evaluate_rows], report)

    def _endless(self, source: Source) -> Iterator[Piece]:
        """The source's pieces, repeated in a new order each pass; ends if it has none."""
        counts = self.report.setdefault(source.name, Counter())
        for turn in range(1000):
            produced = 0
            for piece in self._pieces(source, "train", self.recipe.seed + turn):
                produced += 1
                yield piece
            if not produced:
                return
            counts["passes"] += 1

    def _few(self, source: Source, count: int) -> list[Piece]:
        """Pieces of the dev split for evaluation; text sources have none."""
        if source.kind not in ("task", "moderation", "relevance"):
            return []
        pieces = self._pieces(source, "dev", self.recipe.seed)
        return [piece for piece, _ in zip(pieces, range(max(2, count // len(self.recipe.sources))), strict=False)]

    def _pieces(self, source: Source, split: str, seed: int) -> Iterator[Piece]:
        if source.kind == "text":
            yield from self._text(source, seed)
        elif source.kind == "moderation":
            yield from self._labelled(source, set_named(source.name), split, seed)
        elif source.kind == "relevance":
            yield from self._relevant(source, split, seed)
        else:
            counts = self.report.setdefault(source.name, Counter())
            stream = source_examples(source, self.folder, split, seed)
            first = list(islice(stream, MEASURED))
            weight = self._weight(source, first)
            rng = np.random.default_rng([self.recipe.seed, seed])
            for example in chain(first, stream):
                counts["read"] += 1
                if split == "train" and self._repeats(example):
                    counts["in an evaluation set"] += 1
                    continue
                if split == "train" and rng.random() < self.recipe.reword:
                    example = reworded(example, rng)
                yield self.chat.piece(example, self.recipe.question_tokens, self.recipe.answer_tokens, weight)

    def _weight(self, source: Source, some: Sequence[Example]) -> float:
        if source.name not in self.weights:
            lengths = [min(len(self.chat.answer(e.answer)), self.recipe.answer_tokens) for e in some]
            self.weights[source.name] = float(np.mean(lengths or [1]) ** -self.recipe.evenness)
        return self.weights[source.name]

    def _repeats(self, example: Example) -> bool:
        return self.known.repeats(example.note or example.question)

    def _labelled(self, source: Source, labelled: LabelSet, split: str, seed: int) -> Iterator[Piece]:
        """The moderation prompt as served, and the letter of the label. Labels are weighted by the inverse root of
        their frequency: between the set's distribution and a uniform one.

        A set annotates only its own categories ("not sexist" is no evidence against an insult), so categories of other
        sets are excluded from its softmax. Counted as wrong, they would teach contradictory labels.
        """
        if self.moderation is None:
            self.moderation = Moderation(self.tokenizer, load_policy(None))
        (question,) = self.moderation.questions
        letters = dict(zip(self.moderation.policy.names, question.answers, strict=True))
        elsewhere = tuple(letters[name] for name in sorted(COVERED - labelled.possible) if name in letters)
        notes, labels = read_split(self.folder, labelled, split)
        shares = Counter(labels)
        counts = self.report.setdefault(source.name, Counter())
        for n in np.random.default_rng(seed).permutation(len(notes)):
            note, label = notes[n], labels[n]
            counts["read"] += 1
            if split == "train" and self.known.repeats(note):
                counts["in an evaluation set"] += 1
                continue
            ids = (*self.moderation.note_ids(note), *question.prompt.suffix, letters[label])
            yield Piece(
                question.prompt.prefix,
                ids,
                (*[IGNORED] * (len(ids) - 1), ids[-1]),
                float(np.sqrt(len(notes) / (len(shares) * shares[label]))),
                elsewhere,
            )

    def _relevant(self, source: Source, split: str, seed: int) -> Iterator[Piece]:
        """The reranker's prompt, and its answer of one token."""
        if self.relevance is None:
            self.relevance = Relevance(LanguageModel(self.tokenizer, "", NoAnswers()))
        prefix = self.relevance.prompt.prefix
        counts = self.report.setdefault(source.name, Counter())
        for example in source_examples(source, self.folder, split, seed):
            counts["read"] += 1
            if split == "train" and self._repeats(example):
                counts["in an evaluation set"] += 1
                continue
            (whole,) = self.relevance.prompts(example.query, [example.note])
            ids = (*whole[len(prefix) :], self.relevance.answers[YES_NO.index(example.answer)])
            yield Piece(prefix, ids, (*[IGNORED] * (len(ids) - 1), ids[-1]))

    def _text(self, source: Source, seed: int) -> Iterator[Piece]:
        """Every token is learned but the first; long text comes in parts of a row."""
        if source.name not in self.clean:
            counts = self.report.setdefault(source.name, Counter())
            source_texts = texts(source, self.folder)
            self.clean[source.name] = CleanText(
                source_texts, self.recipe.cleaning, known=self.known, scores=self.scores, counts=counts
            )
        for text in self.clean[source.name].read(seed):
            ids = [*self.tokenizer.encode(text, add_special_tokens=False), self.tokenizer.eos_token_id]
            for first in range(0, len(ids), self.recipe.length):
                piece = tuple(ids[first : first + self.recipe.length])
                yield Piece((), piece, piece, 1.0)
