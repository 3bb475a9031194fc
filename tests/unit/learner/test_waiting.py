from __future__ import annotations

from rayapp.learner.waiting import Waiting


def test_each_condition_is_said_once_until_it_is_over() -> None:
    lines: list[str] = []
    waiting = Waiting(lines.append)
    assert waiting.text is None
    waiting.on("broker", "the broker is away (1)")
    waiting.on("version", "no version could be written")
    waiting.on("broker", "the broker is away (2)")
    assert lines == ["the broker is away (1)", "no version could be written"]
    assert waiting.text == "the broker is away (1)"
    waiting.over("broker", "store")
    assert waiting.text == "no version could be written"
    waiting.on("broker", "the broker is away (3)")
    assert lines[-1] == "the broker is away (3)"
    assert waiting.text == "no version could be written"
