"""All of a note is read, in windows, and the packaged classifier tells the obvious from the ordinary."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rayapp.domain import Decision
from rayapp.moderation.calibration import load_calibration
from rayapp.moderation.fast.sources import HEADS
from rayapp.moderation.fast.stage import ClassifierError, FastStage
from rayapp.moderation.judge import Judge, Note
from rayapp.moderation.policy import load_policy

HARMFUL = {
    "self-harm": "kill yourself, nobody would miss you",
    "harassment": "you are a worthless idiot and everybody hates you",
    "fraud": "Your bank account is suspended. Confirm your card number and PIN at secure-login.example",
    "spam": "CHEAP FOLLOWERS!!! 1000 followers for 5 dollars, DM me now, click the link in bio",
    "violence": "I will come to your house tonight and shoot you",
}
HARMLESS = (
    "A quiet walk by the lake, then coffee with my sister",
    "This workout killed me, see you all on Thursday",
    "Our team destroyed them in the second half, what a match",
    "Beat the eggs, then fold in the flour",
)
WALK = "We had a lovely walk in the park today and fed the ducks by the old bridge. "


@pytest.fixture(scope="module")
def judge() -> Judge:
    fast, policy = FastStage.open(), load_policy()
    return Judge(policy, fast, None, load_calibration(None, fast.version, "", policy))


def decided(judge: Judge, *texts: str) -> list[Decision]:
    return [verdict.decision for verdict in judge.verdicts([Note(str(n), text) for n, text in enumerate(texts)])]


def test_the_obvious_is_acted_on_and_the_ordinary_is_not(judge: Judge) -> None:
    assert Decision.ALLOW not in decided(judge, *HARMFUL.values())
    assert set(decided(judge, *HARMLESS)) == {Decision.ALLOW}


@pytest.mark.parametrize("before", [0, 5, 60])
@pytest.mark.parametrize(
    "hidden",
    [
        str,
        str.upper,
        lambda text: "\u200b".join(text),
        lambda text: text.replace("yourself", "y o u r s e l f"),
        lambda text: text.replace("kill", "k1ll"),
        lambda text: text.translate({c: c + 0xFEE0 for c in range(0x21, 0x7F)}),
    ],
)
def test_what_a_note_says_is_found_wherever_and_however_it_says_it(judge: Judge, before: int, hidden) -> None:
    text = f"{WALK * before}\n{hidden(HARMFUL['self-harm'])}\n{WALK * before}"
    assert decided(judge, text) != [Decision.ALLOW]
    assert decided(judge, WALK * 2 * before) == [Decision.ALLOW]


def test_every_word_is_in_a_window() -> None:
    text = " ".join(f"word{n}" for n in range(400))
    (windows,) = FastStage.open().classifier.windows([text])
    assert len(windows) > 10
    assert all(any(f"word{n} " in f"{window} " for window in windows) for n in range(400))


@pytest.mark.parametrize("text", ["", " ", "\u200b", "😀", "漢字", "a" * 20_000, "\ud800", "x" * 5 + "\u0301" * 500])
def test_odd_texts_have_probabilities(text: str) -> None:
    (scores,) = FastStage.open().scores([text])
    assert tuple(scores) == HEADS
    assert all(0 <= p <= 1 for p in scores.values())


def test_threads_may_ask_together() -> None:
    stage = FastStage.open()
    alone = stage.matrix(list(HARMFUL.values()))
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: stage.matrix(list(HARMFUL.values())), range(8)):
            assert np.allclose(found, alone, atol=1e-5)


def test_a_folder_without_a_classifier_says_so(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="jobs.train_moderation"):
        FastStage.open(tmp_path)
    (tmp_path / "fast.json").write_text("{}")
    with pytest.raises(ClassifierError, match="jobs.train_moderation"):
        FastStage.open(tmp_path)
