"""The workers of one learner or training: rank 0 decides what to do next, all ranks do it."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist

T = TypeVar("T")


class Crew:
    """One of `world` workers and its collectives; a single worker does not communicate."""

    def __init__(self, rank: int = 0, world: int = 1, device: torch.device | None = None) -> None:
        """`device`: where the collectives run (a GPU with the NCCL backend)."""
        self.rank = rank
        self.world = world
        self.device = device or torch.device("cpu")

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def agree(self, decision: T | None) -> T:
        """Rank 0's decision, on all ranks; a collective, which every rank must call equally often."""
        if self.world == 1:
            assert decision is not None
            return decision
        box: list[Any] = [decision]
        dist.broadcast_object_list(box, src=0)
        agreed: T = box[0]
        return agreed

    def summed(self, counts: np.ndarray) -> np.ndarray:
        """The sum over all workers."""
        if self.world == 1:
            return counts
        total = torch.from_numpy(counts).to(self.device)
        dist.all_reduce(total)
        return total.cpu().numpy()

    def gathered(self, rows_N: torch.Tensor) -> torch.Tensor:
        """[world x N]: the rows of all workers in rank order; N must be the same on each."""
        if self.world == 1:
            return rows_N
        parts = [torch.empty_like(rows_N, device=self.device) for _ in range(self.world)]
        dist.all_gather(parts, rows_N.to(self.device))
        return torch.cat(parts).cpu()

    def collected(self, rows: list[T]) -> list[T]:
        """The rows of all workers in rank order at rank 0; on other ranks the worker's own."""
        if self.world == 1:
            return rows
        parts: list[Any] | None = [None] * self.world if self.leads else None
        dist.gather_object(rows, parts, dst=0)
        return rows if parts is None else [row for part in parts for row in part]
