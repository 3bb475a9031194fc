"""What is left to judge and where verdicts go, with real files. No engine: e2e has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray

from rayapp.cluster import connect_ray
from rayapp.content.text_encoder import text_key
from rayapp.domain import Decision, Verdict, encode
from rayapp.errors import UserError
from rayapp.moderation.backlog import BacklogError, ParquetBacklog, TopicBacklog
from rayapp.moderation.batch import note_of

VERSIONS = ("m@1", "p")


def verdict(item_id: str, text: str, **about: Any) -> Verdict:
    told = {"decision": Decision.BLOCK, "outcome": "judged", "model_version": "m@1", "policy_version": "p", **about}
    return Verdict(item_id=item_id, at_ms=1, labels={"none": 0.1, "hate": 0.9}, text_key=text_key("", text), **told)


def row(item_id: str, text: str) -> dict[str, Any]:
    return {"item_id": item_id, "verdict": encode(verdict(item_id, text)), "error": ""}


def waiting(backlog: ParquetBacklog | TopicBacklog) -> set[str]:
    return {r["item_id"] for r in backlog.waiting()[0].take_all()}


@pytest.fixture(scope="module", autouse=True)
def _ray() -> Any:
    connect_ray()
    yield
    ray.shutdown()


def test_a_row_of_any_table_is_a_note_or_says_what_is_wrong() -> None:
    assert note_of({"item_id": "a", "title": "T", "body": "B"})["text"] == "T. B"
    assert note_of({"id": 7, "text": "some words"})["text"] == "some words"
    assert note_of({"id": 7, "text": "some words"})["item_id"] == "7"
    assert "title is empty" in note_of({"item_id": "a", "title": None})["error"]
    assert note_of({})["error"]


def test_parts_are_kept_and_judged_notes_left_out_unless_their_text_changed(tmp_path: Path) -> None:
    table = tmp_path / "notes.parquet"
    texts = {"a": "one", "b": "two", "c": "three", "d": ""}
    pq.write_table(pa.table({"item_id": list(texts), "title": list(texts.values())}), table)
    out = tmp_path / "verdicts"
    backlog = ParquetBacklog(table, out, VERSIONS)
    assert waiting(backlog) == {"a", "b", "c", "d"}
    backlog.keep([row("a", "one"), row("b", "another text"), {"item_id": "d", "verdict": b"", "error": "no title"}])
    (out / "torn.part").write_bytes(b"half a file")
    again = ParquetBacklog(table, out, VERSIONS)
    assert waiting(again) == {"b", "c"}
    assert again.waiting()[1:] == (4, 3)
    assert not list(out.glob("*.part"))
    kept = pq.read_table(next(out.glob("*.parquet"))).to_pylist()
    assert kept[0]["decision"] == "block"
    assert dict(kept[0]["labels"]) == {"none": 0.1, "hate": 0.9}
    assert kept[2]["error"] == "no title"


def test_verdicts_of_two_policies_are_not_mixed(tmp_path: Path) -> None:
    table = tmp_path / "notes.parquet"
    pq.write_table(pa.table({"item_id": ["a"], "title": ["one"]}), table)
    ParquetBacklog(table, tmp_path / "out", VERSIONS)
    with pytest.raises(BacklogError, match="another model or policy"):
        ParquetBacklog(table, tmp_path / "out", ("m@2", "p"))
    with pytest.raises(BacklogError, match="there is no such file"):
        ParquetBacklog(tmp_path / "none", tmp_path / "out", VERSIONS)
    bad = tmp_path / "bad.parquet"
    pq.write_table(pa.table({"key": ["a"]}), bad)
    with pytest.raises(BacklogError, match="no column item_id; it has key"):
        ParquetBacklog(bad, tmp_path / "out", VERSIONS).waiting()


@pytest.mark.parametrize("content", [b"", b"item_id,title\na,one\n", b"PAR1 torn", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_notes_that_are_no_parquet_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    table = tmp_path / "notes.parquet"
    table.write_bytes(content)
    with pytest.raises(UserError, match=r"notes\.parquet"):
        ParquetBacklog(table, tmp_path / "out", VERSIONS).waiting()


def test_what_a_kill_left_in_the_folder_of_verdicts(tmp_path: Path) -> None:
    table, out = tmp_path / "notes.parquet", tmp_path / "out"
    pq.write_table(pa.table({"item_id": ["a"], "title": ["one"]}), table)
    ParquetBacklog(table, out, VERSIONS)
    (out / "about.json").write_bytes(b'{"model_ver')
    with pytest.raises(BacklogError, match=r"another model or policy .*about\.json"):
        ParquetBacklog(table, out, VERSIONS)
    (out / "about.json").unlink()
    (out / "part.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"part\.parquet"):
        ParquetBacklog(table, out, VERSIONS).waiting()
    with pytest.raises(BacklogError, match="is a file; give a folder"):
        ParquetBacklog(table, table, VERSIONS)
