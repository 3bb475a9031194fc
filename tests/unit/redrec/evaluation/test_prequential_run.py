"""The prequential replay: resumed bit for bit, arms as old as they say, a report whose parts add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from jobs.evaluate_online import arms_of, duration_ms, start_of
from rayapp.cli.job import JobError
from rayapp.config import OnlineSettings
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import Action, Event, Item
from rayapp.redrec.evaluation.popularity import DecayedPopularity, RecentPopularity
from rayapp.redrec.evaluation.prequential_report import paired, plot, report
from rayapp.redrec.evaluation.prequential_run import MISSED, PrequentialRun, Settings
from rayapp.redrec.model.artifact import ItemSpace, load_user_side, model_description, save_space, save_user_side
from rayapp.redrec.model.redrec import ModelConfig, RedRec
from rayapp.redrec.online.frequency import Frequency
from rayapp.redrec.online.item_vectors import ItemVectors
from rayapp.redrec.online.learner_state import LearnerState
from rayapp.redrec.online.online_model import Memory, OnlineModel
from rayapp.redrec.online.reservoir import Reservoir

LEARNER = OnlineSettings(lr=1e-2, lr_floor=1e-2, negatives=16, in_batch=8)
SETTINGS = Settings(arms_of("frozen,1m,continuous"), start_ms=100_000, half_life_ms=60_000, baseline_ms=60_000)
NAMES = [*SETTINGS.arms, "decayed", "recent"]


class Bench:
    """A small model on disk and a log: one event a second, new items all the time."""

    def __init__(self, folder: Path) -> None:
        items = [Item(item_id=f"i{n}", title=f"i{n}") for n in range(20)]
        torch.manual_seed(0)
        content = torch.zeros(21, 12)
        content[:20, 0] = 1.0
        config = ModelConfig(dim=8, width=16, heads=2, length=10)
        model = RedRec(config, Vocabulary(("homefeed",), ("click",)), content).eval()
        save_space(folder / "space", model, items, "enc")
        save_user_side(folder, model.user)
        self.folder = folder
        self.description = model_description(model, "enc")
        self.space = ItemSpace(folder / "space", self.description)
        self.no_text = self.space.project(np.eye(12, dtype=np.float32)[:1], [""])[0]
        rng = np.random.default_rng(0)
        picks = [int(rng.integers(n // 20, 20 + n // 10)) for n in range(300)]
        self.log = [
            Event(f"e{n}", f"u{n % 11}", "homefeed", Action.CLICK, 1000 * n, 1000 * n, item_id=f"i{item}")
            for n, item in enumerate(picks)
        ]

    def run(self) -> PrequentialRun:
        user = load_user_side(self.folder, self.description)
        memory = Memory(LearnerState(10), Reservoir(LEARNER.reservoir, 10), Frequency())
        return PrequentialRun(OnlineModel(user, ItemVectors(self.space), LEARNER, memory), SETTINGS, self.no_text)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_run_goes_on_from_disk_as_if_nothing_had_happened(bench: Bench, tmp_path: Path) -> None:
    whole, begun = bench.run(), bench.run()
    for run, end in ((whole, 300), (begun, 150)):
        while run.done < end:
            run.advance(bench.log[run.done : run.done + 25])
    begun.save(tmp_path / "saved")
    again = PrequentialRun.load(
        tmp_path / "saved", bench.description, bench.space, learner=LEARNER, settings=SETTINGS, no_text=bench.no_text
    )
    while again.done < 300:
        again.advance(bench.log[again.done : again.done + 25])
    assert np.array_equal(np.concatenate(again.ranks), np.concatenate(whole.ranks))
    assert again.about == whole.about


def test_arms_are_as_old_as_they_say_and_see_what_is_new(bench: Bench) -> None:
    run = bench.run()
    while run.done < 100:
        run.advance(bench.log[run.done : run.done + 25])
    assert run.ranks == []  # before the start there is nothing to evaluate
    ages = dict.fromkeys(SETTINGS.arms, 0)
    before = dict.fromkeys(SETTINGS.arms)
    while run.done < 300:
        run.advance(bench.log[run.done : run.done + 25])
        for arm in run.arms:
            vector = arm.user.gate.item()
            ages[arm.name] += before[arm.name] not in (None, vector)
            before[arm.name] = vector
            assert len(arm.table(run.model)) == len(run.model.items.ids)
    # Windows begin at 100, 125, … 275 s: those at 175 and 225 are the first after a minute since the start.
    assert ages == {"frozen": 0, "1m": 2, "continuous": 7}
    ranks = np.concatenate(run.ranks)
    assert ranks.shape == (200, 5)
    firsts = [n for n, e in enumerate(bench.log) if e.item_id not in {x.item_id for x in bench.log[:n]}]
    unseen = [n - 100 for n in firsts if n >= 100 and int(bench.log[n].item_id[1:]) >= 20]  # type: ignore[index]
    assert unseen
    assert (ranks[unseen, :4] == MISSED).all()  # nobody can know an item that nobody has taken


def test_the_report_adds_up_and_draws(bench: Bench, tmp_path: Path) -> None:
    run = bench.run()
    while run.done < 300:
        run.advance(bench.log[run.done : run.done + 25])
    ranks = np.concatenate(run.ranks)
    found = report(NAMES, ranks, run.about, bucket_ms=60_000)
    parts = found["parts"]
    assert parts["known items"]["events"] + parts["new items"]["events"] == parts["all"]["events"] == 200
    assert sum(b["events"] for b in found["buckets"]) == 200
    assert parts["all"]["arms"]["continuous"]["hr@10"] == pytest.approx((ranks[:, 2] <= 10).mean())
    assert list(found["shorter against longer"]) == ["1m - frozen", "continuous - 1m"]
    plot(found, NAMES, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_users_are_the_unit_of_the_comparison() -> None:
    users = np.array(["a"] * 90 + ["b", "c"])
    mine, theirs = np.ones(92, dtype=int), np.ones(92, dtype=int)
    theirs[:90] = 99  # one busy user
    found = paired(users, mine, theirs)
    assert found["difference"] == pytest.approx(1 / 3)
    assert found["low"] < 0 < found["high"]


def test_popularity_fades_and_the_last_minutes_are_exact() -> None:
    fading = DecayedPopularity(half_life_ms=1000, items=3)
    fading.add(np.array([0, 0, 0, 0]), 0)
    fading.add(np.array([1, 1]), 2000)
    assert fading.counts.tolist() == [1.0, 2.0, 0.0]
    recent = RecentPopularity(window_ms=1000)
    for row, at in ((5, 0), (5, 10), (7, 900)):
        recent.add(row, at)
    assert (recent.rank(5, 1000), recent.rank(7, 1000)) == (1, 2)
    assert recent.rank(7, 1500) == 1  # the other's have left the window
    assert recent.rank(5, 1500) > 1000
    recent.add(5000, 1600)
    assert recent.rank(5000, 1600) == 2  # a tie counts against it


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: duration_ms("ten"), "give a number and one of s, m, h, d"),
        (lambda: arms_of("continuous,1h"), "longest interval first"),
        (lambda: start_of("soon", np.arange(9)), "ISO date"),
        (lambda: start_of("1.5", np.arange(9)), "between 0 and 1"),
    ],
)
def test_bad_options_say_what_is_wanted(call, text: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(JobError, match=text):
        call()
