"""The training step loop of RED-Rec, free of Ray: batches in, losses and a checkpointable state out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import msgspec
import numpy as np
import torch

from rayapp.content.settings import DEFAULT_ENCODER
from rayapp.data.cooccurrence import cooccurrence_vectors
from rayapp.data.sequences import EventSequence
from rayapp.redrec.loss.negatives import NegativeSampler
from rayapp.redrec.model.heads import ItemTower
from rayapp.redrec.model.redrec import ModelConfig, RedRec
from rayapp.redrec.training.batching import BatchConfig, Batcher, length_buckets
from rayapp.section import Count, Few, Minutes, Natural, Norm, PositiveRate, Rate, Seed, Share, Warmup

MIN_STEPS = 180


class TrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a training run. The learning-rate schedule ends with `minutes` or `epochs`, whichever is nearer.

    `negatives` are drawn from each scenario's items (all of them if there are no more: the full softmax), of which the
    `hard` hardest are reused in the next step. `warm_ids`: initialise id embeddings from item co-occurrence.
    """

    model: ModelConfig = ModelConfig()
    window: Few = 2
    cuts: Count = 16
    popular: Share = 0.0
    batch: Count = 128
    epochs: Count = 200
    minutes: Minutes = 20.0
    lr: PositiveRate = 1e-3
    weight_decay: Rate = 0.01
    warmup: Warmup = 0.02
    negatives: Count = 8192
    in_batch: Natural = 256
    hard: Natural = 0
    clip: Norm = 1.0
    patience: Count = 5
    warm_ids: bool = True
    bf16: bool = False
    seed: Seed = 0
    encoder: str = DEFAULT_ENCODER

    @property
    def batching(self) -> BatchConfig:
        return BatchConfig(self.model.length, self.window, self.cuts, self.popular, self.model.mixing)


class Trainer:
    """Owns optimiser, sampler and schedule for one model (`wrapped` is the same model inside DDP, if any)."""

    def __init__(
        self,
        config: TrainConfig,
        model: RedRec,
        *,
        sampler: NegativeSampler,
        batcher: Batcher,
        wrapped: torch.nn.Module | None = None,
    ) -> None:
        self.config = config
        self.model = model
        self.wrapped = wrapped or model
        self.sampler = sampler
        self.batcher = batcher
        learned = [p for p in model.parameters() if p.requires_grad]
        self.device = learned[0].device
        decay = [p for p in learned if p.ndim > 1]
        plain = [p for p in learned if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.98))
        self.progress = 0.0

    def rate(self) -> float:
        """Linear warm-up, then cosine to a tenth, over `progress` in [0, 1]."""
        warmup = self.config.warmup
        if self.progress < warmup:
            return self.config.lr * (self.progress + 1e-3) / warmup
        x = min(1.0, (self.progress - warmup) / (1 - warmup))
        return self.config.lr * (0.1 + 0.45 * (1 + math.cos(math.pi * x)))

    def step(self, sequences: list[EventSequence], rng: np.random.Generator) -> float | None:
        """One optimiser step on these users; None if they have no targets."""
        batch = self.batcher.train(sequences, rng)
        if batch is None:
            return None
        scenarios = sorted(set(batch.cut_scenario_BC[batch.target_mask_BCW.any(-1)].tolist()))
        sampled = self.sampler.draw(scenarios, batch.targets_BCW[batch.target_mask_BCW])
        batch, pools = batch.to(self.device), {s: pool.to(self.device) for s, pool in sampled.items()}
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.config.bf16):
            loss, pool_mass = self.wrapped(batch, pools, weigh_pools=self.sampler.hard > 0)
        loss.backward()
        if self.sampler.hard:
            self.sampler.keep(sampled, pool_mass)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimiser.step()
        return float(loss.detach())

    def batch_size(self, users: int) -> int:
        """Users per step, smaller for small data, so that an epoch has at least MIN_STEPS steps."""
        return max(8, min(self.config.batch, users // MIN_STEPS))

    def epoch(
        self,
        sequences: list[EventSequence],
        rng: np.random.Generator,
        on_step: Callable[[float], bool] | None = None,
        steps: int | None = None,
    ) -> float:
        """One pass over the users, in length buckets; stops early when `on_step(loss)` returns False. Returns the
        mean loss.

        `steps`: the number of steps, which must be equal on all workers. All randomness comes from `rng`: an epoch is a
        function of weights, optimiser and `rng`, independent of what ran before in this process.
        """
        self.model.train()
        torch.manual_seed(int(rng.integers(2**62)))  # dropout
        self.sampler.restart(int(rng.integers(2**62)))
        losses = []
        size = self.batch_size(len(sequences))
        batches = length_buckets(sequences, size, rng)
        for users in batches if steps is None else itertools.islice(itertools.cycle(batches), steps):
            loss = self.step(users, rng)
            if loss is None:
                continue
            losses.append(loss)
            if on_step is not None and not on_step(loss):
                break
        return float(np.mean(losses)) if losses else math.nan


def start_ids(tower: ItemTower, histories: list[np.ndarray], warm: bool) -> None:
    """`histories`: the items of each user. Initialise the id embeddings: zero for items without an event (they are
    placed by content only), and with `warm` from co-occurrence vectors, at half the length of content vectors."""
    if tower.ids is None:
        return
    items = tower.unknown
    events = np.concatenate(histories) if histories else np.empty(0, dtype=np.int64)
    with torch.no_grad():
        weight = tower.ids.weight
        weight[torch.from_numpy(np.bincount(events, minlength=items) == 0).nonzero()[:, 0]] = 0.0
        if warm:
            vectors = torch.from_numpy(cooccurrence_vectors(histories, items, weight.shape[1]))
            placed = vectors.any(1).nonzero()[:, 0]
            weight[placed] = 0.5 * vectors[placed].to(weight)


def target_counts(sequences: list[EventSequence], items: int) -> np.ndarray:
    """How often each item is a training target (every event but a user's first), int64 [I]."""
    rows = [s.items[1:] for s in sequences]
    return np.bincount(np.concatenate(rows) if rows else [], minlength=items)


def scenario_counts(sequences: list[EventSequence], items: int, scenarios: int) -> np.ndarray:
    """How often each item has an event in each scenario, int64 [S + 1, I]."""
    counts = np.zeros((scenarios + 1, items), dtype=np.int64)
    for sequence in sequences:
        np.add.at(counts, (sequence.scenarios, sequence.items), 1)
    return counts


def scenario_items(sequences: list[EventSequence], items: int, scenarios: int) -> dict[int, np.ndarray]:
    """The items with events in each scenario: its negatives."""
    counts = scenario_counts(sequences, items, scenarios)
    return {s: np.flatnonzero(row) for s, row in enumerate(counts) if row.any()}
