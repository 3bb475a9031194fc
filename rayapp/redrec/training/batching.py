"""User sequences to tensors: training batches with random cuts and their targets, and evaluation batches."""

from __future__ import annotations

import msgspec
import numpy as np
import torch

from rayapp.data.sequences import EventSequence
from rayapp.redrec.model.batch import Batch
from rayapp.redrec.model.mixing import Mixer, Mixing
from rayapp.redrec.model.padding import pad


class BatchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """W future targets per cut, at most `cuts` cuts per user; targets with a share above `popular` are subsampled."""

    length: int = 50
    window: int = 3
    cuts: int = 16
    popular: float = 0.0
    mixing: Mixing = "dense"


class Batcher:
    """Cuts sequences into training examples. Deterministic for a given generator state."""

    def __init__(self, config: BatchConfig, items: int, scenarios: int, target_counts: np.ndarray) -> None:
        self.config = config
        self.items = items
        self.mixer = Mixer(config.length, scenarios, config.mixing)
        share = target_counts / max(1, target_counts.sum())
        with np.errstate(divide="ignore"):
            self.keep = np.minimum(1.0, np.sqrt(config.popular / share)) if config.popular else None

    def train(self, sequences: list[EventSequence], rng: np.random.Generator) -> Batch | None:
        """Each user's sequence with up to `cuts` random cuts, and the next W events of the cut's scenario as
        targets."""
        C, W, length = self.config.cuts, self.config.window, self.config.length
        rows = []
        for sequence in sequences:
            n = len(sequence.items)
            if n < 2:
                continue
            # Long histories: a random contiguous part, so that old events are trained on too.
            if n > 2 * length:
                end = n if rng.random() < 0.25 else int(rng.integers(length, n + 1))
                sequence = sequence.take(slice(max(0, end - 2 * length), end))
            rows.append(sequence.take(self.mixer.choose(sequence.scenarios, rng)))
        if not rows:
            return None
        batch = pad(rows, self.items)
        C = min(C, batch.items_BL.shape[1] - 1)  # short sequences have fewer cuts
        cut = np.zeros((len(rows), C), dtype=np.int64)
        cut_scenario = np.ones((len(rows), C), dtype=np.int64)
        cut_seconds = np.zeros((len(rows), C), dtype=np.int64)
        targets = np.full((len(rows), C, W), self.items, dtype=np.int64)
        for b, row in enumerate(rows):
            n = len(row.items)
            positions = np.arange(1, n)
            if len(positions) > C:
                positions = rng.choice(positions, size=C, replace=False)
            m = len(positions)
            cut[b, :m] = positions
            cut_scenario[b, :m] = row.scenarios[positions]
            cut_seconds[b, :m] = row.seconds[positions]
            targets[b, :m] = np.append(row.items, self.items)[_later(row, W)[positions]]
        if self.keep is not None:
            drop = rng.random(targets.shape) > np.append(self.keep, 1.0)[targets]
            if (drop | (targets == self.items)).all():
                drop[:] = False  # a batch of only popular items keeps them
            targets[drop] = self.items
        return batch._replace(
            cut_BC=torch.from_numpy(cut),
            cut_scenario_BC=torch.from_numpy(cut_scenario),
            cut_seconds_BC=torch.from_numpy(cut_seconds),
            targets_BCW=torch.from_numpy(targets),
            target_mask_BCW=torch.from_numpy(targets != self.items),
        )


def _later(row: EventSequence, window: int) -> np.ndarray:
    """[N, W]: for each position the indices of the next W events of its scenario, itself included; N as padding."""
    n = len(row.items)
    later = np.empty((n, window), dtype=np.int64)
    for scenario in np.unique(row.scenarios):
        positions = np.flatnonzero(row.scenarios == scenario)
        beyond = np.append(positions, np.full(window, n))
        later[positions] = beyond[np.arange(len(positions))[:, None] + np.arange(window)]
    return later


def length_buckets(sequences: list[EventSequence], size: int, rng: np.random.Generator) -> list[list[EventSequence]]:
    """Shuffled batches of users of similar length: less padding, the same examples."""
    order = rng.permutation(len(sequences))
    chunk = size * 32
    batches = []
    for start in range(0, len(order), chunk):
        part = sorted(order[start : start + chunk], key=lambda i: len(sequences[i].items))
        batches += [[sequences[i] for i in part[k : k + size]] for k in range(0, len(part), size)]
    return [batches[i] for i in rng.permutation(len(batches))]
