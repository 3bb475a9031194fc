"""The RED-MMU format (arXiv 2510.14788, section 4.1) as a data folder.

`note_embeddings`: one row a note with its vector of 64 numbers and no text.
`multiscene_lastn`: one row a user with a list of events for each scenario,
`homefeed_list` and `ads_list`, of structs {ts, note_id, action_set, page_key,
duration}; note_id is the note's `note_idx` (or its encrypted id).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rayapp.data.folder import DataFolderError
from rayapp.data.parquet import metadata_of, read_file
from rayapp.domain import Action

LISTS = {"homefeed_list": "homefeed", "ads_list": "ads"}
ACTION_BITS = 32
NOTE_COLUMNS = ("encrypted_note_id", "note_idx", "note_feature")
EVENTS = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("timestamp", pa.int64()),
        ("scenario", pa.string()),
        ("action", pa.string()),
        ("position", pa.int64()),
    ]
)
# A record with several actions counts as the one that says most.
STRONGEST = (Action.CONVERSION, Action.FOLLOW, Action.SHARE, Action.COMMENT, Action.COLLECT, Action.LIKE, Action.CLICK)

RELATIVE = 100_000_000  # seconds; times below it are counted from a start that the release keeps to itself
START = 1_577_836_800  # 2020-01-01, in its place


class RedMmuError(DataFolderError):
    """The files cannot be used; the message names file, column and remedy."""


class Imported(NamedTuple):
    """Counts of written and skipped records."""

    users: int
    events: int
    notes: int
    unknown_notes: int


def parts_of(folder: Path, name: str) -> list[Path]:
    """The Parquet files of one table: `name.parquet`, `name*.parquet` or all in `name/`."""
    files = sorted([*folder.glob(f"{name}*.parquet"), *folder.glob(f"{name}*/*.parquet")])
    if not files:
        raise RedMmuError(f"{folder} has no {name}.parquet and no folder {name}/ with Parquet files")
    return files


def action_of(bits: str, meanings: Mapping[int, Action]) -> Action:
    """The strongest action among the set bits. `bits`: 32 characters of 0 and 1, bit 0 is the last one.

    The release does not say what the bits mean: without `meanings` every record is a click.
    """
    if len(bits) > ACTION_BITS or set(bits) - {"0", "1"}:
        raise RedMmuError(f"action_set {bits!r} is not a text of at most {ACTION_BITS} zeros and ones")
    done = {meanings[n] for n, bit in enumerate(reversed(bits)) if bit == "1" and n in meanings}
    return next((action for action in STRONGEST if action in done), Action.CLICK)


def import_red_mmu(
    source: Path,
    target: Path,
    meanings: Mapping[int, Action] | None = None,
    on_progress: Callable[[int, int], None] = lambda users, events: None,
) -> Imported:
    """Write `items.parquet`, `vectors.parquet` and `interactions.parquet`; users are read a thousand at a time.

    Raises RedMmuError. A note that only ads lists hold is an ad; events on notes without an embedding are left out.
    """
    notes = _notes(source)
    target.mkdir(parents=True, exist_ok=True)
    in_feed: set[str] = set()
    in_ads: set[str] = set()
    users = events = unknown = 0
    partial = target / "interactions.parquet.part"
    with pq.ParquetWriter(partial, EVENTS) as writer:
        for batch in _user_batches(source):
            rows, missing = _events(batch, notes, meanings or {})
            writer.write_table(rows)
            is_ad = pc.equal(rows["scenario"], "ads")
            in_ads.update(pc.unique(rows.filter(is_ad)["item_id"]).to_pylist())
            in_feed.update(pc.unique(rows.filter(pc.invert(is_ad))["item_id"]).to_pylist())
            users, events, unknown = users + batch.num_rows, events + rows.num_rows, unknown + missing
            on_progress(users, events)
    ids = notes["encrypted_note_id"].to_pylist()
    kinds = ["ad" if name in in_ads - in_feed else "note" for name in ids]
    pq.write_table(pa.table({"item_id": ids, "title": ids, "kind": kinds}), target / "items.parquet")
    pq.write_table(pa.table({"item_id": ids, "vector": notes["note_feature"]}), target / "vectors.parquet")
    partial.rename(target / "interactions.parquet")  # last: a folder without it is no data folder
    return Imported(users, events, len(ids), unknown)


def _notes(source: Path) -> pa.Table:
    parts = []
    for file in parts_of(source, "note_embeddings"):
        table = read_file(file)
        missing = set(NOTE_COLUMNS) - set(table.schema.names)
        if missing:
            raise RedMmuError(f"{file} has no column {', '.join(sorted(missing))}; it has {table.schema.names}")
        parts.append(table.select(NOTE_COLUMNS).cast(_note_schema(table)))
    notes = pa.concat_tables(parts)
    widths = pc.unique(pc.list_value_length(notes["note_feature"])).to_pylist()
    if len(widths) != 1 or not widths[0]:
        raise RedMmuError(f"note_feature has vectors of {widths} numbers; they must all be of one length")
    return notes


def _note_schema(table: pa.Table) -> pa.Schema:
    index = table.schema.field("note_idx").type
    kinds = {"encrypted_note_id": pa.string(), "note_idx": index, "note_feature": pa.list_(pa.float32())}
    return pa.schema(list(kinds.items()))


def _user_batches(source: Path) -> Iterator[pa.Table]:
    for file in parts_of(source, "multiscene_lastn"):
        names = set(metadata_of(file)[0])
        if "encrypted_user_id" not in names or not names & set(LISTS):
            raise RedMmuError(f"{file} needs encrypted_user_id and {' or '.join(LISTS)}; it has {sorted(names)}")
        columns = ["encrypted_user_id", *(name for name in LISTS if name in names)]
        for batch in pq.ParquetFile(file).iter_batches(batch_size=1000, columns=columns):
            yield pa.Table.from_batches([batch])


def _events(users: pa.Table, notes: pa.Table, meanings: Mapping[int, Action]) -> tuple[pa.Table, int]:
    """EVENTS of these users, and how many were on unknown notes."""
    tables, unknown = [EVENTS.empty_table()], 0
    for column, scenario in LISTS.items():
        if column not in users.schema.names:
            continue
        lists = users[column].combine_chunks()
        owner = pc.list_parent_indices(lists).to_numpy()
        flat = pc.list_flatten(lists)
        row = _rows_of(pc.struct_field(flat, "note_id"), notes)
        first = np.searchsorted(owner, owner)  # where the list of each event's user begins
        table = pa.table(
            {
                "user_id": users["encrypted_user_id"].combine_chunks().cast(pa.string()).take(pa.array(owner)),
                "item_id": notes["encrypted_note_id"].combine_chunks().take(row),
                "timestamp": _seconds(pc.struct_field(flat, "ts")),
                "scenario": pa.array([scenario] * len(flat), pa.string()),
                "action": _actions(pc.struct_field(flat, "action_set"), meanings),
                "position": pa.array(np.arange(len(flat)) - first, pa.int64()),
            },
            schema=EVENTS,
        )
        unknown += table["item_id"].null_count
        tables.append(table.filter(pc.is_valid(table["item_id"])))
    return pa.concat_tables(tables), unknown


def _rows_of(note_ids: pa.Array, notes: pa.Table) -> pa.Array:
    """Rows of the note table, null for notes that are not in it: by `note_idx` where ids are numbers."""
    column = "note_idx" if pa.types.is_integer(note_ids.type) else "encrypted_note_id"
    values = notes[column].combine_chunks()
    return pc.index_in(note_ids.cast(values.type), value_set=values)


def _actions(bits: pa.Array, meanings: Mapping[int, Action]) -> pa.Array:
    """Actions of bit strings, decoded once per distinct string."""
    coded = bits.cast(pa.string()).fill_null("").dictionary_encode()
    names = [action_of(text, meanings).value for text in coded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(coded.indices)


def _seconds(ts: pa.Array) -> pa.Array:
    """The release gives seconds; milliseconds are recognised by their magnitude."""
    if ts.null_count:
        raise RedMmuError(f"{ts.null_count} events have no ts; every event needs its time in seconds")
    times = ts.cast(pa.int64())
    seconds = pc.if_else(pc.greater(times, 10**11), pc.divide(times, 1000), times)
    return pc.if_else(pc.less(seconds, RELATIVE), pc.add(seconds, START), seconds)
