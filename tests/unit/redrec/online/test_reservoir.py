from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from rayapp.redrec.model.history import Behaviour
from rayapp.redrec.online.frequency import Frequency
from rayapp.redrec.online.learner_state import JoinedExample
from rayapp.redrec.online.reservoir import Reservoir


def example(n: int, history: int = 2) -> JoinedExample:
    behaviours = [Behaviour(1000 * k, f"e{k}", f"i{k}", "toys", "click") for k in range(history)]
    return JoinedExample(f"u{n % 7}", behaviours, "toys", [f"t{n}"], True)


def filled(count: int, size: int = 50, windows: int = 20) -> Reservoir:
    reservoir = Reservoir(size, 10, seed=1)
    for number, part in enumerate(np.array_split(np.arange(count), windows)):
        reservoir.add([partial(example, int(n)) for n in part], number)
    return reservoir


def test_it_keeps_a_uniform_sample_of_everything() -> None:
    reservoir = filled(5000)
    assert (len(reservoir.examples), reservoir.seen) == (50, 5000)
    numbers = [int(e.item_ids[0][1:]) for e in reservoir.examples]
    assert len(set(numbers)) == 50
    # The mean of 50 uniform draws from 0..4999 has a standard deviation of 204.
    assert abs(np.mean(numbers) - 2500) < 3.5 * 204


def test_it_goes_on_from_disk_as_if_nothing_had_happened(tmp_path: Path) -> None:
    whole, begun = filled(300), filled(300)
    begun.save(tmp_path)
    restored = Reservoir.load(tmp_path, 50, 10, seed=1)
    assert restored.examples == whole.examples
    for reservoir in (whole, restored):
        reservoir.add([partial(example, n) for n in range(300, 400)], 20)
    assert restored.examples == whole.examples
    assert restored.draw(5, 7) == whole.draw(5, 7)
    assert restored.draw(5, 7) != whole.draw(5, 8)


def test_only_what_is_kept_is_built_and_histories_are_bounded() -> None:
    built = []

    def build(n: int) -> JoinedExample:
        built.append(n)
        return example(n, history=30)

    reservoir = Reservoir(10, 4, seed=0)
    reservoir.add([partial(build, n) for n in range(1000)], 1)
    assert 10 <= len(built) < 150
    assert {len(e.history) for e in reservoir.examples} == {4}


def test_a_forgotten_user_is_gone() -> None:
    reservoir = filled(300)
    reservoir.forget("u3")
    assert reservoir.examples
    assert all(e.user_id != "u3" for e in reservoir.examples)


def test_an_empty_one_is_saved_and_read(tmp_path: Path) -> None:
    Reservoir(5, 5).save(tmp_path)
    assert Reservoir.load(tmp_path, 5, 5).examples == []


def test_shares_follow_what_is_popular_now(tmp_path: Path) -> None:
    frequency = Frequency(half_life=100)
    frequency.add(["old"] * 100)
    for _ in range(10):
        frequency.add(["new"] * 50 + ["other"] * 50)
    old, new, other, never = frequency.share(["old", "new", "other", "never"])
    assert old < 0.01
    assert abs(new - other) < 1e-6
    assert 0.45 < new < 0.5
    assert 0 < never < 0.01
    frequency.save(tmp_path)
    assert np.array_equal(Frequency.load(tmp_path, 100).share(["old", "new"]), np.array([old, new]))
