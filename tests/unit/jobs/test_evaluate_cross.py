"""What the comparison of scenarios reports of ranks that are known."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.evaluate_cross import groups_of, report

PAIRS = [("ann", "feed"), ("ann", "search"), ("bob", "feed"), ("cem", "search")]
HIT, MISS = 1, 100


def ranks(*found: int) -> dict[str, np.ndarray]:
    return {mask: np.array(found) for mask in ("kept", "masked")}


ARMS = {
    "popularity": ranks(MISS, MISS, MISS, HIT),
    "whole": ranks(HIT, HIT, MISS, HIT),
    "ablated": ranks(MISS, HIT, MISS, HIT),
}


def reported(arms: dict[str, dict[str, np.ndarray]]) -> dict[str, dict]:
    users = np.array([user for user, _ in PAIRS])
    groups = groups_of(PAIRS, np.array([False, False, True, False]))
    return report(arms, users, groups)["groups"]


def test_targets_are_told_apart_by_how_much_is_known_of_user_and_item() -> None:
    groups = {name: group["targets"] for name, group in reported(ARMS).items()}
    assert groups == {
        "all": 4,
        "users of several scenarios": 2,
        "their feed": 1,
        "their search": 1,
        "users of one scenario": 2,
        "targets with fewer than 5 training events": 1,
    }


def test_without_models_alone_the_first_is_what_the_others_are_compared_with() -> None:
    arms = reported(ARMS)["all"]["arms"]
    assert arms["whole"]["kept"]["hr@10"] == 0.75
    assert "over whole, hr@10" not in arms["whole"]
    assert arms["ablated"]["over whole, hr@10"]["kept"]["relative"] == pytest.approx(0.5 / 0.75 - 1)


def test_with_models_alone_they_are() -> None:
    arms = reported({"each alone": ranks(MISS, HIT, MISS, MISS), **ARMS})["all"]["arms"]
    assert arms["whole"]["over each alone, hr@10"]["kept"]["relative"] == pytest.approx(2.0)
    assert arms["ablated"]["over each alone, hr@10"]["kept"]["relative"] == pytest.approx(1.0)
