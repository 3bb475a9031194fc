"""The user tower: a causal transformer over item vectors with learned queries (RED-Rec, section 3.3).

Item tokens attend to earlier item tokens; K query tokens per scenario attend
to the items before their cut and to nothing else, so one pass over a user's
sequence yields the interests at many moments. Rank is encoded by rotary
positions (relative, so the same at every cut), the time gap to the event
before by a learned log-scale bucket, action and scenario by embeddings; the mixing
(`temporal_encoding`) decides which of these the tower sees.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rayapp.redrec.model.batch import Batch
from rayapp.redrec.model.temporal_encoding import GAP_BUCKETS, TemporalEncoding

Rotation = tuple[Tensor, Tensor]  # cosines and sines [B, 1, T, E/2]


def rotate(x: Tensor, by: Rotation) -> Tensor:
    """Rotary positions: x [B, H, T, E]."""
    a, b = x.chunk(2, dim=-1)
    cos, sin = by
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


class Block(nn.Module):
    """Pre-norm transformer block with shared weights for item tokens and query tokens."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.norm_attention = nn.LayerNorm(width)
        self.norm_mlp = nn.LayerNorm(width)
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def keys(self, x_BTW: Tensor, by: Rotation) -> tuple[Tensor, Tensor]:
        k, v = self.kv(self.norm_attention(x_BTW)).chunk(2, dim=-1)
        return rotate(self.split(k), by), self.split(v)

    def forward(self, x_BTW: Tensor, by: Rotation, kv: tuple[Tensor, Tensor], bias: Tensor) -> Tensor:
        """x attends to `kv`; bias [B, 1, T, L] is 0 where attention is allowed and -inf elsewhere."""
        q = rotate(self.split(self.q(self.norm_attention(x_BTW))), by)
        rate = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, *kv, attn_mask=bias)
        x = x_BTW + F.dropout(self.out(y.transpose(1, 2).flatten(2)), rate, self.training)
        return x + F.dropout(self.mlp(self.norm_mlp(x)), rate, self.training)


class EventTokens(nn.Module):
    """The input of a tower: tokens of events and queries, their positions, and the attention mask."""

    def __init__(
        self, dim: int, width: int, *, scenarios: int, actions: int, interests: int, query_std: float = 0.1
    ) -> None:
        super().__init__()
        self.interests = interests
        self.width = width
        self.input = nn.Linear(dim, width)
        self.begin = nn.Parameter(torch.randn(width) * 0.02)  # always visible: an empty history still has a key
        self.scenario = nn.Embedding(scenarios + 1, width)
        self.action = nn.Embedding(actions + 1, width)
        self.gap = nn.Embedding(GAP_BUCKETS, width)
        for table in (self.scenario, self.action, self.gap):
            nn.init.normal_(table.weight, std=0.02)
        self.queries = nn.Parameter(torch.randn(scenarios + 1, interests, width) * query_std)

    def tokens(self, vectors_BLD: Tensor, batch: Batch, encoding: TemporalEncoding, dropout: float = 0.0) -> Tensor:
        """[B, C*K + 1 + L, width]: the queries of every cut, the begin token, the events."""
        x = self.input(vectors_BLD)
        x = x + self.scenario(encoding.scenario_BL) + self.action(batch.actions_BL) + self.gap(encoding.gap_BL)
        x = F.dropout(x, dropout, self.training)
        queries = self.queries[batch.cut_scenario_BC].flatten(1, 2)
        return torch.cat((queries, self.begin.expand(len(x), 1, -1), x), dim=1)

    def places(self, encoding: TemporalEncoding) -> Tensor:
        """[B, C*K + 1 + L]: positions of the tokens."""
        return torch.cat(
            (encoding.query_rank_BC.repeat_interleave(self.interests, dim=1), F.pad(encoding.rank_BL, (1, 0))), 1
        )

    def seen(self, batch: Batch) -> Tensor:
        """[B, C*K + 1 + L, 1 + L]: which of begin token and events each token may attend to."""
        rank_L = torch.arange(batch.scenarios_BL.shape[1], device=batch.scenarios_BL.device)
        events = (batch.scenarios_BL, batch.seconds_BL)
        seen_BLL = (rank_L[None, :] <= rank_L[:, None]) & _strict(*events, *events)
        begin_sees = F.pad(torch.zeros_like(seen_BLL[:, :1]), (1, 0), value=True)
        seen_q = F.pad(visible(batch), (1, 0), value=True).repeat_interleave(self.interests, dim=1)
        return torch.cat((seen_q, begin_sees, F.pad(seen_BLL, (1, 0), value=True)), dim=1)


class UserTower(EventTokens):
    """From item vectors with their encodings to hidden states of the queries."""

    frequencies: Tensor

    def __init__(
        self,
        dim: int,
        width: int,
        *,
        layers: int,
        heads: int,
        dropout: float,
        scenarios: int,
        actions: int,
        interests: int,
    ) -> None:
        super().__init__(dim, width, scenarios=scenarios, actions=actions, interests=interests)
        self.dropout = dropout
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        half = width // heads // 2
        self.register_buffer("frequencies", 1000.0 ** (-torch.arange(half) / half), persistent=False)

    def rotation(self, rank_BT: Tensor) -> Rotation:
        angles = (rank_BT[..., None].float() * self.frequencies)[:, None]
        return angles.cos(), angles.sin()

    def forward(self, vectors_BLD: Tensor, batch: Batch, encoding: TemporalEncoding) -> Tensor:
        """Hidden states [B, C, K, width] of the K queries of cut_scenario at each cut.

        A cut at rank c sees events 0..c-1, and those of other scenarios only
        if strictly earlier than cut_seconds: timestamps of whole days do not
        order two events of one day. Sequences are padded at the end; a cut
        never sees what follows it.
        """
        C, K = batch.cut_BC.shape[1], self.interests
        tokens = self.tokens(vectors_BLD, batch, encoding, self.dropout)
        seen = self.seen(batch)
        bias = torch.zeros(seen.shape, dtype=tokens.dtype, device=tokens.device)
        bias = bias.masked_fill_(~seen, float("-inf"))[:, None]

        # Queries and items share every pass (fewer, larger operations); both attend only to item keys.
        Q = C * K
        by = self.rotation(self.places(encoding))
        by_q, by_x = (by[0][:, :, :Q], by[1][:, :, :Q]), (by[0][:, :, Q:], by[1][:, :, Q:])
        *blocks, last = [block for block in self.blocks if isinstance(block, Block)]
        for block in blocks:
            tokens = block(tokens, by, block.keys(tokens[:, Q:], by_x), bias)
        # No token attends to items after the last layer.
        q = last(tokens[:, :Q], by_q, last.keys(tokens[:, Q:], by_x), bias[:, :, :Q])
        return self.norm(q).unflatten(1, (C, K))


def visible(batch: Batch) -> Tensor:
    """[B, C, L]: the events that each cut may attend to."""
    rank_L = torch.arange(batch.scenarios_BL.shape[1], device=batch.scenarios_BL.device)
    request = (batch.cut_scenario_BC, batch.cut_seconds_BC)
    return (rank_L < batch.cut_BC[..., None]) & _strict(*request, batch.scenarios_BL, batch.seconds_BL)


def _strict(scenario_q: Tensor, seconds_q: Tensor, scenario_k: Tensor, seconds_k: Tensor) -> Tensor:
    """[B, Q, L]: same scenario, or strictly earlier."""
    same = scenario_q[..., None] == scenario_k[:, None]
    return same | (seconds_k[:, None] < seconds_q[..., None])
