"""The log-partition of many rows over one large pool, in memory that does not grow with rows x pool.

Scores are computed chunk by chunk, used while they are in the cache, and computed
again in the backward pass (as in fused linear cross entropy, Liger kernels,
arXiv 2410.10989). With the whole catalogue as the pool this is three times as
fast as a dense matrix, whose memory traffic costs more than its products.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Pairs(NamedTuple):
    """Entries of the [M, P] score matrix as row and column indices, rows ascending."""

    rows: Tensor
    columns: Tensor

    def within(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """The entries in rows [start, stop), with rows counted from `start`."""
        first, last = torch.searchsorted(self.rows, torch.tensor([start, stop], device=self.rows.device)).tolist()
        return self.rows[first:last] - start, self.columns[first:last]


def no_pairs(device: torch.device) -> Pairs:
    nothing = torch.empty(0, dtype=torch.long, device=device)
    return Pairs(nothing, nothing)


def joined(*pairs: Pairs) -> Pairs:
    """The union; an entry may occur twice."""
    rows, columns = (torch.cat(column) for column in zip(*pairs, strict=True))
    order = rows.argsort(stable=True)
    return Pairs(rows[order], columns[order])


def places_of(rows_N: Tensor, ids_N: Tensor, pool_P: Tensor) -> Pairs:
    """The entries (rows_N, draw) for all draws of the pool with the id of that row; `rows_N` ascending."""
    order = pool_P.argsort(stable=True)
    sorted_P = pool_P[order]
    low = torch.searchsorted(sorted_P, ids_N)
    count = torch.searchsorted(sorted_P, ids_N, right=True) - low
    which = torch.arange(len(ids_N), device=ids_N.device).repeat_interleave(count)
    begin = (count.cumsum(0) - count)[which]
    column = low[which] + torch.arange(len(which), device=ids_N.device) - begin
    return Pairs(rows_N[which], order[column])


class LogitTerms(NamedTuple):
    """What is subtracted from the logits of M rows over a pool of P draws.

    `bias_P` is log-Q; entries in `hidden` are left out; in `repeats` the row's `repeat_penalty_M` is subtracted.
    """

    bias_P: Tensor
    hidden: Pairs
    repeats: Pairs
    repeat_penalty_M: Tensor


def log_partition(users_MD: Tensor, pool_PD: Tensor, terms: LogitTerms) -> Tensor:
    """[M]: log sum over the pool of exp(u·n - terms), with gradients for users, pool and penalty."""
    log_partition_M: Tensor = _LogPartition.apply(
        users_MD, pool_PD, terms.repeat_penalty_M, terms.bias_P, terms.hidden, terms.repeats
    )
    return log_partition_M


@torch.no_grad()
def pool_mass(users_MD: Tensor, pool_PD: Tensor, terms: LogitTerms) -> Tensor:
    """[P]: the softmax mass that the rows give each draw of the pool (logits as in `log_partition`), summed over
    rows."""
    mass_P = torch.zeros_like(terms.bias_P)
    terms = terms._replace(repeat_penalty_M=terms.repeat_penalty_M.float())
    for _, _, scores in _chunks(users_MD.float(), pool_PD.float(), terms):
        mass_P += scores.softmax(1).nan_to_num(0.0).sum(0)
    return mass_P


class _LogPartition(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes its inputs by position
        ctx: Any,
        users_MD: Tensor,
        pool_PD: Tensor,
        repeat_penalty_M: Tensor,
        bias_P: Tensor,
        hidden: Pairs,
        repeats: Pairs,
    ) -> Tensor:
        users_MD, pool_PD = users_MD.float(), pool_PD.float()
        terms = LogitTerms(bias_P, hidden, repeats, repeat_penalty_M.float())
        parts = [scores.logsumexp(1) for _, _, scores in _chunks(users_MD, pool_PD, terms)]
        log_partition_M = torch.cat(parts) if parts else users_MD.new_empty(0)
        ctx.save_for_backward(users_MD, pool_PD, terms.repeat_penalty_M, bias_P, log_partition_M, *hidden, *repeats)
        return log_partition_M

    @staticmethod
    def backward(ctx: Any, gradient_M: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        users_MD, pool_PD, repeat_penalty_M, bias_P, log_partition_M, *pairs = ctx.saved_tensors
        terms = LogitTerms(bias_P, Pairs(*pairs[:2]), Pairs(*pairs[2:]), repeat_penalty_M)
        for_users, for_penalty = torch.empty_like(users_MD), torch.zeros_like(repeat_penalty_M)
        for_pool = torch.zeros_like(pool_PD)
        for start, stop, scores in _chunks(users_MD, pool_PD, terms):
            # A row with an empty pool (-inf) has no gradient.
            level = log_partition_M[start:stop, None].clamp(min=-1e30)
            shares = scores.sub_(level).exp_().mul_(gradient_M[start:stop, None])
            for_users[start:stop] = shares @ pool_PD
            for_pool.addmm_(shares.T, users_MD[start:stop])
            rows, columns = terms.repeats.within(start, stop)
            for_penalty[start:stop].index_add_(0, rows, shares[rows, columns], alpha=-1)
        return for_users, for_pool, for_penalty, None, None, None


def _chunks(users_MD: Tensor, pool_PD: Tensor, terms: LogitTerms) -> Iterator[tuple[int, int, Tensor]]:
    """(first row, row after the last, scores) of chunks of rows that fit into a core's cache; larger chunks on a
    GPU."""
    size = 4096 if users_MD.is_cuda else max(16, 2**18 // max(1, len(pool_PD)))
    with torch.autocast(users_MD.device.type, enabled=False):
        for start in range(0, len(users_MD), size):
            stop = min(start + size, len(users_MD))
            scores = torch.addmm(terms.bias_P.expand(stop - start, -1), users_MD[start:stop], pool_PD.T, beta=-1)
            rows, columns = terms.repeats.within(start, stop)
            scores[rows, columns] -= terms.repeat_penalty_M[start:stop][rows]
            scores[terms.hidden.within(start, stop)] = float("-inf")
            yield start, stop, scores


def near_duplicates(targets_MD: Tensor, pool_PD: Tensor, cosine: float) -> Pairs:
    """Entries whose pool item is closer than `cosine` to the row's target, both L2-normalised."""
    size = 4096 if targets_MD.is_cuda else max(16, 2**18 // max(1, len(pool_PD)))
    near = [no_pairs(targets_MD.device)]
    with torch.no_grad():
        for start in range(0, len(targets_MD), size):
            rows, columns = (targets_MD[start : start + size] @ pool_PD.T > cosine).nonzero(as_tuple=True)
            near.append(Pairs(rows + start, columns))
    return Pairs(*(torch.cat(column) for column in zip(*near, strict=True)))
