"""The workers of one learner or one training: rank 0 says what is done next, all do it."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist

T = TypeVar("T")


class Crew:
    """One worker among `world`; alone it talks to nobody."""

    def __init__(self, rank: int = 0, world: int = 1, device: torch.device | None = None) -> None:
        """`device`: where this worker's collectives run (a GPU where the backend is NCCL)."""
        self.rank = rank
        self.world = world
        self.device = device or torch.device("cpu")

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def agree(self, decision: T | None) -> T:
        """What rank 0 says, everywhere; every worker must ask as often as the others."""
        if self.world == 1:
            assert decision is not None
            return decision
        box: list[Any] = [decision]
        dist.broadcast_object_list(box, src=0)
        agreed: T = box[0]
        return agreed

    def summed(self, counts: np.ndarray) -> np.ndarray:
        """Of all workers."""
        if self.world == 1:
            return counts
        total = torch.from_numpy(counts).to(self.device)
        dist.all_reduce(total)
        return total.cpu().numpy()

    def gathered(self, rows_N: torch.Tensor) -> torch.Tensor:
        """[world x N], in the order of the workers; N must be the same on each."""
        if self.world == 1:
            return rows_N
        parts = [torch.empty_like(rows_N, device=self.device) for _ in range(self.world)]
        dist.all_gather(parts, rows_N.to(self.device))
        return torch.cat(parts).cpu()

    def collected(self, rows: list[T]) -> list[T]:
        """Of all workers, in their order, at rank 0; elsewhere the worker's own."""
        if self.world == 1:
            return rows
        parts: list[Any] | None = [None] * self.world if self.leads else None
        dist.gather_object(rows, parts, dst=0)
        return rows if parts is None else [row for part in parts for row in part]
