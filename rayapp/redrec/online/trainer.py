"""Online steps of the user side on positives, impressions without feedback, and replayed past examples.

Item vectors from text are fixed; embeddings of ids without text learn. A positive
is learned with InfoNCE against sampled negatives (RED-Rec, section 3.4) by the
nearest of its scenario's queries; an impression without feedback with unlikelihood
loss. Every step is a function of window, number, seed, initial weights and world
size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F

from rayapp.redrec.loss.loss import info_nce, unlikelihood
from rayapp.redrec.loss.negatives import NegativePool
from rayapp.redrec.model.redrec import UserSide
from rayapp.redrec.online.frequency import Frequency
from rayapp.redrec.online.item_vectors import ItemVectors
from rayapp.redrec.online.settings import OnlineSettings
from rayapp.redrec.online.window import LabelledExample, Window, interests_of


def learning_rate(settings: OnlineSettings, step: int) -> float:
    """From `lr` down to `lr_floor` (never 0, because the data keeps changing), halved in `lr_half` steps."""
    return max(settings.lr_floor, settings.lr / (1 + step / settings.lr_half))


class OnlineTrainer:
    """AdamW with gradient clipping over a window's batches; each of several workers takes its share of every batch."""

    def __init__(self, user: UserSide, settings: OnlineSettings, rank: int = 0, world: int = 1) -> None:
        self.user = user
        self.settings = settings
        self.rank = rank
        self.world = world
        self.steps = 0
        self.learned = [p for p in user.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.learned, lr=settings.lr, betas=(0.9, 0.98), weight_decay=0.0)

    def learn(
        self,
        window: Window,
        replay: list[LabelledExample],
        *,
        items: ItemVectors,
        frequency: Frequency,
        number: int,
        bias: np.ndarray | None = None,
    ) -> float:
        """Learn window `number` with older positives mixed in; mean loss of the positives, nan without any.

        `bias` [I] is an additive term of the score by item row, such as log-popularity.
        """
        positives = [*window.positives, *replay]
        if not positives and not window.negatives:
            return math.nan
        rng = np.random.default_rng([self.settings.seed, 3, number])
        batches = math.ceil((len(positives) + len(window.negatives)) / self.settings.batch)
        own_positives = np.array_split(rng.permutation(len(positives)), batches)
        own_negatives = np.array_split(rng.permutation(len(window.negatives)), batches)
        losses = []
        for n, (taken, left) in enumerate(zip(own_positives, own_negatives, strict=True)):
            loss = self._step(
                [positives[i] for i in taken],
                [window.negatives[i] for i in left],
                items=items,
                frequency=frequency,
                seed=(number, n),
                bias=bias,
            )
            losses += [loss] * len(taken)
        return float(np.mean(losses)) if losses else math.nan

    def state(self) -> dict[str, object]:
        return {"optimiser": self.optimiser.state_dict(), "steps": self.steps}

    def restore(self, state: dict[str, object]) -> None:
        self.optimiser.load_state_dict(state["optimiser"])  # type: ignore[arg-type]
        self.steps = int(state["steps"])  # type: ignore[call-overload]

    def _step(
        self,
        positives: list[LabelledExample],
        negatives: list[LabelledExample],
        *,
        items: ItemVectors,
        frequency: Frequency,
        seed: tuple[int, int],
        bias: np.ndarray | None,
    ) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.settings, self.steps)
        pool = self._pool(positives, items, frequency, seed)
        shown = torch.tensor([row for example in (*positives, *negatives) for row in example.rows])
        used = torch.unique(torch.cat([shown, pool.rows_P]))  # the same on every worker
        leaf = items.leaf(used)
        self.user.train()
        # The pool is the same on all workers; dropout differs.
        torch.manual_seed(_seed(self.settings.seed, *seed, self.rank + 1))
        own_positives = positives[self.rank :: self.world]
        share = [*own_positives, *negatives[self.rank :: self.world]]
        self.optimiser.zero_grad(set_to_none=False)
        total = 0.0
        if share:
            vectors = ItemTable(used, F.normalize(leaf, dim=-1))
            taken, left = self._losses(share, len(own_positives), items=vectors, pool=pool, bias=bias)
            total = float(taken.detach().sum())
            weight = sum(len(n.rows) * n.weight for n in negatives)
            loss = taken.sum() / max(1, len(positives)) + self.settings.impressions * left.sum() / max(1.0, weight)
            loss.backward()
        if self.world > 1:
            total = self._reduce(total, leaf)
        torch.nn.utils.clip_grad_norm_(self.learned, self.settings.clip)
        self.optimiser.step()
        if leaf.grad is not None:
            # Undo the mean over the batch, or an id would learn less from a larger one.
            items.step(used, leaf.grad * max(1, len(positives)), self.settings.id_lr)
        self.user.eval()
        self.steps += 1
        return total / max(1, len(positives))

    def _losses(
        self,
        examples: list[LabelledExample],
        positives: int,
        *,
        items: ItemTable,
        pool: NegativePool,
        bias: np.ndarray | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(InfoNCE of each positive, weighted unlikelihood of each item without feedback)."""
        interests_BQD, real_BQ = interests_of(self.user, examples)
        example_M = torch.tensor([b for b, row in enumerate(examples) for _ in row.rows])
        rows_M = torch.tensor([r for row in examples for r in row.rows])
        weight_M = torch.tensor([row.weight for row in examples for _ in row.rows])
        targets_MD, pool_PD = items(rows_M), items(pool.rows_P)
        users_MD = nearest(interests_BQD[example_M], real_BQ[example_M], targets_MD.detach())
        first = positives  # positives come first and have one item each
        log_expected = pool.log_expected_P
        if bias is not None:  # an additive term of the score: the negatives' relative to the target's
            bias_I = torch.from_numpy(bias)
            log_expected = log_expected[None] - bias_I[pool.rows_P][None] + bias_I[rows_M[:first]][:, None]
        taken = info_nce(
            users_MD[:first],
            targets_MD[:first],
            target_ids_M=rows_M[:first],
            negatives_PD=pool_PD,
            negative_ids_P=pool.rows_P,
            log_expected=log_expected,
            scale=self.user.scale,
        )
        left = unlikelihood(
            users_MD[first:],
            targets_MD[first:],
            negatives_PD=pool_PD,
            log_expected_P=pool.log_expected_P,
            scale=self.user.scale,
        )
        return taken * weight_M[:first], left * weight_M[first:]

    def _pool(
        self, positives: list[LabelledExample], items: ItemVectors, frequency: Frequency, seed: tuple[int, int]
    ) -> NegativePool:
        """Uniform draws and the batch's targets, the latter with expected counts estimated from the stream."""
        generator = torch.Generator().manual_seed(_seed(self.settings.seed, *seed))
        base = len(items.ids)
        rows = torch.randint(base, (self.settings.negatives,), generator=generator)
        share = torch.zeros(())
        if positives and self.settings.in_batch:
            targets = torch.tensor([p.rows[0] for p in positives])
            mixed = targets[torch.randint(len(targets), (self.settings.in_batch,), generator=generator)]
            rows = torch.cat([rows, mixed])
            share = torch.from_numpy(frequency.share([items.ids[row] for row in rows.tolist()]))
        expected = self.settings.negatives / max(1, base) + self.settings.in_batch * share
        return NegativePool(rows, expected.log().expand(len(rows)))

    def _reduce(self, total: float, leaf: torch.Tensor) -> float:
        """Sum the gradients (and the loss) of all workers."""
        tensors = [*self.learned, *([leaf] if leaf.requires_grad else [])]
        parts = [t.grad if t.grad is not None else torch.zeros_like(t) for t in tensors]
        flat = torch.cat([*(part.flatten() for part in parts), torch.tensor([total])])
        dist.all_reduce(flat)
        for tensor, part in zip(tensors, flat[:-1].split([p.numel() for p in parts]), strict=True):
            tensor.grad = part.view_as(tensor).clone()
        return float(flat[-1])


class ItemTable(NamedTuple):
    """Vectors [U, D] of the rows [U] (ascending) used in a step."""

    rows: torch.Tensor
    vectors: torch.Tensor

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        return self.vectors[torch.searchsorted(self.rows, rows)]


def nearest(interests_MQD: torch.Tensor, real_MQ: torch.Tensor, vectors_MD: torch.Tensor) -> torch.Tensor:
    """The real interest nearest to each vector, [M, D]."""
    with torch.no_grad():
        similarity = (interests_MQD @ vectors_MD[..., None]).squeeze(-1).masked_fill(~real_MQ, -torch.inf)
        best = similarity.argmax(-1)
    return interests_MQD[torch.arange(len(best)), best]


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
