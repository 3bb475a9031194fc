"""Tables that people give are read by the one guarded reader; only what this system wrote for itself is not."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rayapp.errors import UserError
from rayapp.moderation.label_sets import SETS, LabelSetError, read_split
from rayapp.redone.public_sets.rows import rows
from rayapp.redone.training.preference import PreferenceError, judged_pairs
from streaming.archive import forgotten_users

ROOT = Path(__file__).resolve().parents[3]
OWN = ("rayapp/redrec/", "rayapp/content/", "rayapp/data/parquet.py")  # versions and caches, behind manifests
READERS: dict[str, Callable[[Path], object]] = {
    "label set": lambda folder: read_split(folder, SETS[0], "dev"),
    "public set": lambda folder: rows(folder, SETS[0].file, "dev"),
    "judged pairs": lambda folder: list(judged_pairs(folder / SETS[0].file)),
}
TORN = [b"", b"PAR1", b"a,b\n1,2\n", b"PAR1" + b"\0" * 64 + b"PAR1", b"\x1f\x8b" + b"x" * 100]


def readers_beside(own: tuple[str, ...]) -> list[str]:
    found = []
    for file in (f for part in ("rayapp", "jobs", "streaming") for f in (ROOT / part).rglob("*.py")):
        name = str(file.relative_to(ROOT))
        calls = [node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        reads = [c for c in calls if isinstance(c, ast.Attribute) and c.attr == "read_table"]
        if any(isinstance(c.value, ast.Name) and c.value.id == "pq" for c in reads) and not name.startswith(own):
            found.append(name)
    return found


def test_no_other_reader_of_tables() -> None:
    assert readers_beside(OWN) == []
    assert readers_beside(()), "the search finds them where they are"


@pytest.mark.parametrize("content", TORN)
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_torn_table_is_one_line_that_names_it(
    tmp_path: Path, reader: Callable[[Path], object], content: bytes
) -> None:
    file = tmp_path / SETS[0].file
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(UserError, match=file.name) as refused:
        reader(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_torn_list_of_forgotten_users_is_named(tmp_path: Path) -> None:
    (tmp_path / "forgotten.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"forgotten\.parquet"):
        forgotten_users(tmp_path)


def test_a_label_that_a_set_does_not_know_is_named(tmp_path: Path) -> None:
    file = tmp_path / SETS[0].file
    file.parent.mkdir()
    pq.write_table(pa.table({"text": ["a"], SETS[0].column: ["odd"], "split": ["dev"]}), file)
    with pytest.raises(LabelSetError, match="label_sexist 'odd' is unknown; it may be one of"):
        read_split(tmp_path, SETS[0], "dev")


@pytest.mark.parametrize("value", ["", "[", "[1]", "{}", '[{"from": "human"}]'])
def test_a_pair_that_is_none_is_named_by_its_row(tmp_path: Path, value: str) -> None:
    file = tmp_path / "pairs.parquet"
    good = {
        "conversations": '[{"from": "human", "value": "q"}]',
        "chosen": '{"value": "a"}',
        "rejected": '{"value": "b"}',
    }
    pq.write_table(pa.Table.from_pylist([good, {**good, "conversations": value, "chosen": value}]), file)
    with pytest.raises(PreferenceError, match=r"pairs\.parquet row 1: no judged pair"):
        list(judged_pairs(file))
