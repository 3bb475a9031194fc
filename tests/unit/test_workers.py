"""Two workers over gloo: what one says, all do; counts are summed and rows gathered in order, lists at the first."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from rayapp.workers import Crew


def worker(rank: int, world: int, folder: Path) -> None:
    wait = timedelta(seconds=120)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world, timeout=wait)
    crew = Crew(rank, world)
    found = {
        "agreed": crew.agree({"steps": 3 + rank}),
        "summed": crew.summed(np.array([[1, 2], [rank, 0]])),
        "gathered": crew.gathered(torch.tensor([rank, 7])),
        "collected": crew.collected([[rank], [rank, rank]]),
    }
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_workers_agree(tmp_path: Path) -> None:
    mp.spawn(worker, args=(2, tmp_path), nprocs=2)
    one, other = (torch.load(tmp_path / f"{rank}.pt", weights_only=False) for rank in range(2))
    assert one["agreed"] == other["agreed"] == {"steps": 3}
    assert one["summed"].tolist() == other["summed"].tolist() == [[2, 4], [1, 0]]
    assert one["gathered"].tolist() == other["gathered"].tolist() == [0, 7, 1, 7]
    assert one["collected"] == [[0], [0, 0], [1], [1, 1]]
    assert other["collected"] == [[1], [1, 1]]


def test_alone_nothing_is_asked() -> None:
    crew = Crew()
    assert crew.agree(5) == 5
    assert crew.summed(np.array([1])).tolist() == [1]
    assert crew.gathered(torch.tensor([1])).tolist() == [1]
    assert crew.collected([[1]]) == [[1]]
