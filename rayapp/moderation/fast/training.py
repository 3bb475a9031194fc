"""Training the fast classifier: every category for itself, with what a set did not look for left out of its loss."""

# pyright: basic

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from rayapp.moderation.fast.classifier import Fusion
from rayapp.moderation.fast.encoder import NoteEncoder
from rayapp.moderation.fast.ngrams import CHARACTERS, WORDS, ngram_rows
from rayapp.moderation.fast.sources import HEADS, LabelledNotes

SMOOTHING = 0.02
EVERY = 100  # batches between two lines of progress


class EncoderTraining(NamedTuple):
    """`epochs`: draws as many notes as there are, by weight. `lr`: highest, after a linear warm-up, before a linear
    decay."""

    epochs: float = 1.5
    batch: int = 64
    lr: float = 1e-3
    seed: int = 0


def train_encoder(
    notes: LabelledNotes,
    weights: np.ndarray,
    settings: EncoderTraining,
    *,
    say: Callable[[str], None],
) -> NoteEncoder:
    """`weights` [N]: how often a note is drawn, relative to the others."""
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    encoder = NoteEncoder(len(HEADS))
    share_C = np.nanmean(notes.labels, axis=0)
    with torch.no_grad():
        encoder.head.bias.copy_(torch.from_numpy(np.log(share_C / (1 - share_C))))
    ids = encoder.tokens(notes.texts)
    lengths = np.array([len(row) for row in ids])
    chance = weights / weights.sum()
    steps = max(1, int(settings.epochs * len(ids) / settings.batch))
    parameters = [p for p in encoder.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=0.01)
    warm_up = min(200, steps // 10 + 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda n: min(1.0, (n + 1) / warm_up) * (1 - n / steps))
    encoder.train()
    done, losses = 0, []
    while done < steps:
        drawn = rng.choice(len(ids), size=min(50, steps - done) * settings.batch, p=chance)
        batches = np.split(drawn[np.argsort(lengths[drawn], kind="stable")], len(drawn) // settings.batch)
        for number in rng.permutation(len(batches)):  # notes of like length in a batch, batches in any order
            rows = batches[number]
            loss = _loss(encoder([ids[n] for n in rows]), notes.labels[rows])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
            done += 1
            if done % EVERY == 0:
                say(f"  encoder: batch {done:,} of {steps:,}, loss {np.mean(losses[-EVERY:]):.4f}")
    return encoder.eval()


def _loss(logits_NC: torch.Tensor, labels_NC: np.ndarray) -> torch.Tensor:
    labels = torch.from_numpy(labels_NC)
    known = ~torch.isnan(labels)
    wanted = torch.nan_to_num(labels) * (1 - SMOOTHING) + SMOOTHING / 2
    return (cross_entropy(logits_NC, wanted, reduction="none") * known).sum() / known.sum()


def train_ngrams(
    notes: LabelledNotes, weights: np.ndarray, *, c: float = 4.0, say: Callable[[str], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Weights [F, C] and biases [C] of logistic regressions over n-grams."""
    rows = ngram_rows(notes.texts)
    found_FC = np.zeros((CHARACTERS + WORDS, len(HEADS)), np.float32)
    bias_C = np.zeros(len(HEADS), np.float32)
    for column, name in enumerate(HEADS):
        known = ~np.isnan(notes.labels[:, column])
        model = LogisticRegression(C=c, solver="liblinear")
        model.fit(rows[known], notes.labels[known, column] > 0, sample_weight=weights[known])
        found_FC[:, column], bias_C[column] = model.coef_[0], model.intercept_[0]
        say(f"  n-grams: {name}, {int(np.nansum(notes.labels[:, column])):,} of {int(known.sum()):,} notes")
    return found_FC, bias_C


def weigh(
    encoder_NC: np.ndarray, ngrams_NC: np.ndarray, notes: LabelledNotes, *, ngrams_alone: bool = False
) -> dict[str, Fusion]:
    """On notes that neither part was trained on: how much each is worth, by likelihood. A category without notes there
    is left out."""
    found: dict[str, Fusion] = {}
    for column, name in enumerate(HEADS):
        known = ~np.isnan(notes.labels[:, column])
        labels = notes.labels[known, column] > 0
        if labels.all() or not labels.any():
            continue
        pairs = np.stack([encoder_NC[known, column] * (not ngrams_alone), ngrams_NC[known, column]], 1)
        model = LogisticRegression(C=1.0).fit(pairs, labels)
        first, second = model.coef_[0]
        found[name] = Fusion(float(first), float(second), float(model.intercept_[0]))
    return found
