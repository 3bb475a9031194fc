"""A metric takes any text as a label, and never fails what it measures."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.metrics import MAX_LABEL, Metrics, label


@given(st.text())
def test_any_text_is_a_label_that_ray_takes(text: str) -> None:
    found = label(text)
    assert found.isascii()
    assert len(found) <= MAX_LABEL


@given(st.text(st.characters(codec="utf-8"), max_size=MAX_LABEL // 12))
def test_two_texts_are_two_labels_unless_they_are_cut(text: str) -> None:
    assert unquote(label(text)) == text


@pytest.mark.parametrize("text", ["homefeed", "v1.2", 'a "quoted" {arm}', "a/b c"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert label(text) == text


def test_what_a_metric_refuses_is_logged_once_and_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Refusing:
        def inc(self, value: float, tags: dict[str, str]) -> None:
            raise ValueError("no")

    metrics = Metrics()
    made: dict[str, Any] = metrics._made
    made["rayapp_events_total"] = Refusing()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            metrics.count("rayapp_events_total", result="accepted")
    assert [record.getMessage() for record in caplog.records] == ["metric rayapp_events_total cannot be recorded: no"]
