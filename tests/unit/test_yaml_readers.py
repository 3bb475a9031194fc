"""Every YAML file that a person writes, against what no file should hold: one line, and the process lives."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from rayapp.config import load_config
from rayapp.errors import UserError
from rayapp.moderation.policy import load_policy
from rayapp.redone.recipe import load_recipe
from rayapp.training.redrec_settings import load_train_config

ROOT = Path(__file__).resolve().parents[2]
READERS: dict[str, Callable[[Path], object]] = {
    "config": load_config,
    "policy": load_policy,
    "recipe": lambda file: load_recipe(file, "finetune"),
    "training": lambda file: load_train_config(str(file), {}, packaged=file.parent / "none"),
}
HOSTILE = {
    "nested sequences": b"- " * 26_000 + b"x",
    "nested brackets": b"[" * 50_000,
    "nested mappings": b"{a: " * 10_000,
    "aliases": b"a: &a [1]\nb: [*a, *a]",
    "a list": b"[1, 2]",
    "a word": b"word",
    "a number": b"5",
    "no UTF-8": b"\xff\xfe\x00",
    "NUL": b"a: \x00",
    "no number": b"lr: .nan\nsources: .nan\ncategories: .nan\nports: {http: .nan}",
    "infinity": b"epochs: .inf\nsources: .inf\ncategories: .inf\ncpus: .inf",
    "digits": b"seed: " + b"1" * 5000,
    "a date of no calendar": b"name: 2020-13-41",
    "a tag": b"!!python/object/apply:os.system [true]",
    "an unknown key": b"nobody_knows_it: 1",
    "keys that are no text": b"1: 2\nnull: 3\n[a]: 4",
    "open": b"a: 'never closed",
    "two documents": b"a: 1\n---\nb: 2",
    "long": b"a: " + b"x" * 2_000_000,
}


@pytest.mark.parametrize("content", HOSTILE)
@pytest.mark.parametrize("reader", READERS)
def test_what_cannot_be_read_is_one_line_that_names_the_file(tmp_path: Path, reader: str, content: str) -> None:
    file = tmp_path / "file.yaml"
    file.write_bytes(HOSTILE[content])
    with pytest.raises(UserError) as caught:
        READERS[reader](file)
    assert "file.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_is_not_there(tmp_path: Path, reader: str) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        READERS[reader](tmp_path / "none.yaml")


def test_yaml_comes_in_through_one_door() -> None:
    found = []
    for file in sorted((ROOT / "rayapp").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("msgspec.yaml.decode", "yaml.safe_load"):
                found.append(str(file.relative_to(ROOT)))
    assert set(found) == {"rayapp/parsing.py"}
