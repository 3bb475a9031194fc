"""RED-Rec assembled: item tower, user tower, projection, temperature, loss."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rayapp.data.vocabulary import Vocabulary
from rayapp.redrec.loss.loss import FALSE_NEGATIVE_COSINE, assign
from rayapp.redrec.loss.negatives import NegativePool
from rayapp.redrec.loss.pool_softmax import (
    LogitTerms,
    joined,
    log_partition,
    near_duplicates,
    no_pairs,
    places_of,
    pool_mass,
)
from rayapp.redrec.model.batch import Batch
from rayapp.redrec.model.cuts import Cuts, before
from rayapp.redrec.model.heads import ItemTower, ProjectionHead
from rayapp.redrec.model.mixing import Mixer, Mixing
from rayapp.redrec.model.pretrained import Learning, PretrainedTower, decoder_of
from rayapp.redrec.model.recency import RecencyPool
from rayapp.redrec.model.temporal_encoding import temporal_encoding
from rayapp.redrec.model.trainable_encoder import TrainableEncoder
from rayapp.redrec.model.trend import Trend, moments
from rayapp.redrec.model.user_tower import UserTower, visible
from rayapp.section import Count, Days, Dropout, Few, Size, Temperature


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Laptop size by default. `interests` is K per scenario, `length` the number of events the user tower reads.

    `repeats`: learn a penalty (or bonus) per scenario for items that are in the user's history already.
    `trend_days`: period lengths in days of the learned trend embeddings; empty disables them.
    `user_model`: folder or Hugging Face id of a pretrained decoder to use as user tower (it sets `width`, `layers` and
    `heads`); `user_learning`: how it is trained. `item_learning`: the same for the encoder, which must be a decoder.
    """

    dim: Size = 64
    width: Size = 128
    layers: Few = 2
    heads: Few = 4
    dropout: Dropout = 0.2
    interests: Few = 3
    length: Count = 50
    use_ids: bool = True
    id_dropout: Dropout = 0.1
    temperature: Temperature = 0.07
    repeats: bool = False
    trend_days: tuple[Days, ...] = ()
    mixing: Mixing = "dense"
    user_model: str = ""
    user_learning: Learning = "lora"
    item_learning: Learning = "frozen"
    lora_rank: Size = 16
    checkpointing: bool = False


class UserSide(nn.Module):
    """The part that learns online: user tower, its projection head and the temperature."""

    def __init__(self, config: ModelConfig, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = vocabulary
        self.mixer = Mixer(config.length, len(vocabulary.scenarios), config.mixing)
        self.tower = _user_tower(config, vocabulary)
        self.head = ProjectionHead(self.tower.width, config.dim, config.dropout)
        self.recent = RecencyPool(len(vocabulary.scenarios), config.interests)
        self.gate = nn.Parameter(torch.tensor(0.5))
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / config.temperature)))
        time, scenarios = vocabulary.time, len(vocabulary.scenarios)
        self.trend = Trend(config.trend_days, time, scenarios, config.dim) if config.trend_days else None
        # Subtracted from the logits of items in the history, by scenario of the request.
        self.repeats = nn.Parameter(torch.zeros(len(vocabulary.scenarios) + 1)) if config.repeats else None

    @property
    def repeat_penalty(self) -> Tensor | None:
        """[S + 1], in logits; scaled so that it learns faster than network weights, because its optimum is far from
        0."""
        return None if self.repeats is None else 10 * self.repeats

    @property
    def scale(self) -> Tensor:
        """Logit scale, clamped to [1, 100]."""
        return self.log_scale.clamp(0.0, math.log(100.0)).exp()

    def forward(self, batch: Batch, vectors_BLD: Tensor) -> Tensor:
        """Interest vectors [B, C, K, D], L2-normalised (RED-Rec, section 3.3); `vectors_BLD` are those of
        batch.items_BL."""
        encoding = temporal_encoding(
            self.config.mixing,
            batch.scenarios_BL,
            batch.seconds_BL,
            cut_BC=batch.cut_BC,
            cut_scenario_BC=batch.cut_scenario_BC,
        )
        hidden = self.tower(vectors_BLD, batch, encoding)
        seen_BCL = visible(batch)
        recent = self.recent(
            vectors_BLD,
            encoding.scenario_BL,
            seen_BCL=seen_BCL,
            age_BCL=encoding.age_BCL,
            cut_scenario_BC=batch.cut_scenario_BC,
        )
        interests = F.normalize(recent, dim=-1) + self.gate * F.normalize(self.head(hidden), dim=-1)
        if self.trend is not None:
            now_BC = moments(batch.seconds_BL, seen_BCL, batch.cut_seconds_BC)
            interests = interests + self.trend(now_BC, batch.cut_scenario_BC)[:, :, None]
        return F.normalize(interests, dim=-1)


def _user_tower(config: ModelConfig, vocabulary: Vocabulary) -> UserTower | PretrainedTower:
    scenarios, actions = len(vocabulary.scenarios), len(vocabulary.actions)
    if config.user_model:
        decoder = decoder_of(config.user_model, config.user_learning, config.lora_rank, config.checkpointing)
        return PretrainedTower(decoder, config.dim, scenarios=scenarios, actions=actions, interests=config.interests)
    return UserTower(
        config.dim,
        config.width,
        layers=config.layers,
        heads=config.heads,
        dropout=config.dropout,
        scenarios=scenarios,
        actions=actions,
        interests=config.interests,
    )


class Loss(NamedTuple):
    """`mean` is a scalar with gradients; `pool_mass` maps a scenario to [P], the softmax mass that each draw of its
    pool took, summed over the scenario's targets (empty unless asked for)."""

    mean: Tensor
    pool_mass: dict[int, Tensor]


class RedRec(nn.Module):
    """Both towers over a fixed table of I items; `content` [I + 1, E] is the encoder's output, its last row zero."""

    def __init__(
        self, config: ModelConfig, vocabulary: Vocabulary, content: Tensor, reader: TrainableEncoder | None = None
    ) -> None:
        """`reader`: encodes the items instead of `content` when the encoder is trained too."""
        super().__init__()
        self.config = config
        self.vocabulary = vocabulary
        self.reader = reader
        self.register_buffer("content", content, persistent=False)
        items = len(content) - 1
        self.item_tower = ItemTower(
            items,
            content.shape[1],
            config.dim,
            dropout=config.dropout,
            use_ids=config.use_ids,
            id_dropout=config.id_dropout,
        )
        self.user = UserSide(config, vocabulary)

    def item_vectors(self, rows: Tensor) -> Tensor:
        """Item vectors [..., D] of rows of the table, L2-normalised."""
        content = self.reader(rows) if self.reader is not None and self.training else self.content[rows].float()
        return F.normalize(self.item_tower(content, rows), dim=-1)

    def read_items(self) -> None:
        """Recompute `content` if the encoder is trained."""
        if self.reader is not None:
            self.eval()
            self.content = self.reader.everything().to(self.content.device)

    def forward(self, batch: Batch, pools: dict[int, NegativePool], weigh_pools: bool = False) -> Loss:
        """Mean InfoNCE over the batch's targets (RED-Rec, section 3.4), each a positive of the query that its cluster
        is matched to.

        `pools`: a pool of negatives for each scenario that has targets; a target is contrasted only with its own
        scenario's pool. `weigh_pools`: also compute each pool's mass.
        """
        drawn = [pool.rows_P for pool in pools.values()]
        table = torch.unique(torch.cat([batch.items_BL.flatten(), batch.targets_BCW.flatten(), *drawn]))
        vectors = self.item_vectors(table)  # each item once, however often it occurs
        device = table.device
        place = torch.full((len(self.content),), -1, dtype=torch.long, device=device)
        place[table] = torch.arange(len(table), device=device)
        interests = self.user(batch, vectors[place[batch.items_BL]])
        B, C, K, D = interests.shape
        interests_NKD = interests.reshape(B * C, K, D)
        targets_NW = batch.targets_BCW.flatten(0, 1)
        mask_NW = batch.target_mask_BCW.flatten(0, 1)
        targets_NWD = vectors[place[targets_NW]]
        query_NW = assign(interests_NKD.detach(), targets_NWD.detach(), mask_NW)
        rows = mask_NW.nonzero()
        cuts = Cuts(
            interests_NKD[rows[:, 0], query_NW[mask_NW]],
            targets_NW[mask_NW],
            targets_NWD[mask_NW],
            batch.cut_scenario_BC.flatten()[rows[:, 0]],
            rows[:, 0] // C,
            batch.cut_BC.flatten()[rows[:, 0]],
        )
        losses, mass = [], {}
        for scenario, pool in pools.items():
            loss_M, mass_P = self._info_nce(
                cuts.of(scenario),
                scenario,
                items_BL=batch.items_BL,
                pool=pool,
                pool_PD=vectors[place[pool.rows_P]],
                weigh=weigh_pools,
            )
            losses.append(loss_M)
            if mass_P is not None:
                mass[scenario] = mass_P
        return Loss(torch.cat(losses).mean(), mass)

    def _info_nce(
        self, cuts: Cuts, scenario: int, *, items_BL: Tensor, pool: NegativePool, pool_PD: Tensor, weigh: bool
    ) -> tuple[Tensor, Tensor | None]:
        """(loss [M], pool mass [P] if `weigh`) of one scenario's targets against its pool."""
        positive_M = self.user.scale * (cuts.users_MD * cuts.targets_MD).sum(-1)
        order_M = torch.arange(len(positive_M), device=positive_M.device)
        hidden = joined(
            places_of(order_M, cuts.targets_M, pool.rows_P),
            near_duplicates(cuts.targets_MD.detach(), pool_PD.detach(), FALSE_NEGATIVE_COSINE),
        )
        repeats, penalty_M = no_pairs(positive_M.device), torch.zeros_like(positive_M)
        if self.user.repeat_penalty is not None:
            penalty_M = self.user.repeat_penalty[scenario].expand(len(positive_M))
            which, item = before(items_BL, cuts.user_M, cuts.cut_M)
            again_M = torch.zeros_like(positive_M).index_fill_(0, which[item == cuts.targets_M[which]], 1.0)
            positive_M = positive_M - penalty_M * again_M
            repeats = places_of(which, item, pool.rows_P)
        users_MD = self.user.scale * cuts.users_MD
        terms = LogitTerms(pool.log_expected_P, hidden, repeats, penalty_M)
        mass_P = pool_mass(users_MD, pool_PD, terms) if weigh else None
        others_M = log_partition(users_MD, pool_PD, terms)
        return torch.logaddexp(positive_M.float(), others_M) - positive_M, mass_P
