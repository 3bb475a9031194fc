"""Workers save and evaluate together, whatever their own clocks say: one that does so alone waits for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed
import torch.multiprocessing

from rayapp.training.redone_loop import as_the_first_worker


def decide(rank: int, folder: str) -> None:
    torch.distributed.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    own = [(True, False), (False, True)][rank]
    Path(folder, f"{rank}").write_text(repr(as_the_first_worker(*own, device=torch.device("cpu"))))
    torch.distributed.destroy_process_group()


def test_two_workers_of_which_the_second_would_decide_otherwise(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(decide, (str(tmp_path),), nprocs=2)
    assert [(tmp_path / rank).read_text() for rank in ("0", "1")] == ["[True, False]"] * 2


@pytest.mark.parametrize("own", [(True, False), (False, False)])
def test_a_worker_alone_decides_itself(own: tuple[bool, bool]) -> None:
    assert as_the_first_worker(*own, device=torch.device("cpu")) == list(own)
