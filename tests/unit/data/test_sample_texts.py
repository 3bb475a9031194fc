"""The written texts of the sample world: whole, distinct, and of every category."""

from __future__ import annotations

from collections import Counter

from rayapp.data.sample_texts import sample_texts, things
from rayapp.moderation.policy import load_policy


def test_every_topic_and_every_category_has_its_texts() -> None:
    texts = sample_texts()
    assert Counter(t.label for t in texts if t.label) == dict.fromkeys(load_policy().categories, 13)
    plain = [t for t in texts if not t.label]
    wanted = {(topic, kind): count for topic in things() for kind, count in (("note", 80), ("ad", 8))}
    assert Counter((t.topic, t.kind) for t in plain) == wanted
    assert len(things()) == 30
    assert all(len(named) >= 3 for named in things().values())


def test_no_two_are_alike_and_none_is_a_template() -> None:
    texts = sample_texts()
    assert len({t.title.lower() for t in texts}) == len({t.body.lower() for t in texts}) == len(texts)
    for text in texts:
        assert text.title.strip() == text.title
        assert text.body.strip() == text.body
        assert "{" not in text.title + text.body
