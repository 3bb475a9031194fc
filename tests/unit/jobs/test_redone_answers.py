"""Of a model's own answers the right and finished ones are kept, with their questions as they were asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from jobs.redone_answers import right_answers
from rayapp.redone.tasks.example import Example, read_examples, write_examples

TWO_BULLETS = Example("instruction_form", "Name colours.\nGive two bullet points.", "", query="bullets:2")
SHORT = Example("instruction_form", "Name a colour.\nAnswer in at most 3 words.", "", query="at most:3")
LONG = Example("instruction_form", "Tell a story.\nAnswer in at least 20 words.", "", query="at least:20")


def test_right_wrong_and_cut_off(language_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    asked = [TWO_BULLETS, TWO_BULLETS, SHORT, SHORT, LONG]
    said = ["* red\n* blue", "red and blue", " Red. ", "", "a word and another " * 60]
    kept, counts = right_answers(asked, said, tokenizer, least=1.0)
    assert [(e.question, e.answer) for e in kept] == [
        (TWO_BULLETS.question, "* red\n* blue"),
        (SHORT.question, "Red."),
    ]
    assert counts == {
        ("instruction_form, bullets", "right"): 1,
        ("instruction_form, bullets", "wrong"): 1,
        ("instruction_form, at most", "right"): 1,
        ("instruction_form, at most", "wrong"): 1,
        ("instruction_form, at least", "cut off"): 1,
    }


def test_an_answer_that_is_nearly_right_is_kept_where_that_is_enough(language_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    tags = Example("hashtag_multiple", "Which hashtags?", "#a; #b", ("#a", "#b", "#c"))
    assert not right_answers([tags], ["#a"], tokenizer, least=1.0)[0]
    (kept,), _ = right_answers([tags], ["#a"], tokenizer, least=0.5)
    assert kept.answer == "#a"


@pytest.mark.long  # a vLLM engine of its own, with the real model
def test_the_job_writes_what_a_recipe_reads_and_asks_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(f"state: {tmp_path / 'state'}\n")
    write_examples(tmp_path / "asked.jsonl", [SHORT, LONG, TWO_BULLETS] * 2)
    command = [
        sys.executable,
        "-m",
        "jobs.redone_answers",
        "--config",
        str(tmp_path / "config.yaml"),
        "--data",
        "/none",
    ]
    command += ["--model", "SmolLM2-135M-Instruct", "--examples", str(tmp_path / "asked.jsonl")]
    command += ["--to", str(tmp_path / "kept.jsonl"), "--out", str(tmp_path / "out.json")]
    subprocess.run(command, check=True, timeout=300)
    kept = list(read_examples(tmp_path / "kept.jsonl"))
    found = json.loads((tmp_path / "out.json").read_text())
    assert (found["asked"], found["kept"]) == (6, len(kept))
    assert all(e.answer and e.question in {SHORT.question, LONG.question, TWO_BULLETS.question} for e in kept)
    again = subprocess.run(command, check=True, timeout=300, capture_output=True, text=True)
    assert "0 not answered yet" in again.stdout
    assert list(read_examples(tmp_path / "kept.jsonl")) == kept
