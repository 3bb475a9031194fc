"""A table as Parquet: one file, or a folder of parts as Spark and others write it. What users give is read here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from rayapp.data.errors import DataFolderError
from rayapp.errors import one_line

MARK = b"PAR1"
GAP = "__HIVE_DEFAULT_PARTITION__"  # in the name of a folder: its rows have no value


def parts_of(path: Path) -> list[Path]:
    """The Parquet files of a table, sorted; what is in hidden folders and files (marks, logs, torn writes) is none of
    it. Empty when there are none. Raises DataFolderError for a folder that cannot be listed."""
    if path.is_file():
        return [path]
    return sorted(_parts_below(path)) if path.is_dir() else []


def read_table(path: Path) -> pa.Table:
    """All parts of a table, columns of the same name together. A folder's name=value is a column of its parts, as text.
    Raises DataFolderError, which names the file."""
    files = parts_of(path)
    if not files:
        raise DataFolderError(f"{path} is a folder without a .parquet file; write the table there, or give another one")
    tables = [_with_folder_columns(read_file(file), file.relative_to(path).parent.parts) for file in files]
    return together(tables, path)


def together(tables: list[pa.Table], path: Path) -> pa.Table:
    """The parts of a table as one. Raises DataFolderError."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataFolderError(f"{path}: its parts have different columns: {one_line(error)}; write them anew") from None


def read_file(file: Path, columns: Mapping[str, pa.DataType | None] | None = None) -> pa.Table:
    """One file; only these columns, as these types, where some are named. Raises DataFolderError, which names it."""
    wanted = columns or {}
    try:
        with pq.ParquetFile(file) as opened:
            _check_columns(file, opened.schema_arrow.names, wanted)
            table = opened.read(list(wanted) or None)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(file, error) from None
    for number, name in enumerate(table.schema.names):
        kind = wanted.get(name)
        try:
            table = table if kind is None else table.set_column(number, name, table[name].cast(kind))
        except pa.ArrowException as error:
            raise DataFolderError(f"{file}: column {name} is no {kind}: {one_line(error)}; write it anew") from None
    return table


def metadata_of(file: Path) -> tuple[list[str], int]:
    """(names of the columns, number of rows) of one file. Raises DataFolderError."""
    try:
        with pq.ParquetFile(file) as opened:
            return opened.schema_arrow.names, opened.metadata.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(file, error) from None


def _parts_below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:  # what cannot be listed would be missing without a word
        raise DataFolderError(f"{error.filename} cannot be listed: {error.strerror}; let this user read it") from None

    for here, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not _hidden(name)]
        yield from (Path(here, name) for name in files if name.endswith(".parquet") and not _hidden(name))


def _hidden(name: str) -> bool:
    """_temporary, _delta_log, .ipynb_checkpoints; a column may begin with an underscore, too."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _with_folder_columns(table: pa.Table, folders: tuple[str, ...]) -> pa.Table:
    """A column that the file has itself stays as it is."""
    for folder in folders:
        name, equals, value = folder.partition("=")
        if not equals or unquote(name) in table.schema.names:
            continue
        text = pa.scalar(None if value == GAP else unquote(value), pa.string())
        table = table.append_column(unquote(name), pa.repeat(text, table.num_rows))
    return table


def _check_columns(file: Path, there: Sequence[str], wanted: Iterable[str]) -> None:
    missing = [name for name in wanted if name not in there]
    if missing:
        raise DataFolderError(f"{file} has no column {', '.join(missing)}; it has {', '.join(there)[:200]}")


def _unreadable(file: Path, error: Exception) -> DataFolderError:
    try:
        with file.open("rb") as opened:
            head = opened.read(64)
    except (OSError, ValueError) as reading:
        why = reading.strerror if isinstance(reading, OSError) else str(reading)
        return DataFolderError(f"{file} cannot be read: {why}; give a file that this user may read")
    return DataFolderError(f"{file} cannot be read as Parquet: {_guess(file, head, error)}")


def _guess(file: Path, head: bytes, error: Exception) -> str:
    if not head:
        return "it is empty; write it again"
    if head.startswith(MARK):
        return f"it is cut off or damaged ({one_line(error)}); copy or write it again"
    text = head.decode(errors="replace")
    if head.lstrip()[:1] in b"[{":
        return "it holds JSON; convert it (pandas: read_json(file, lines=True).to_parquet(file))"
    if "," in text or "\t" in text or ";" in text:
        first = text.splitlines()[0][:60]
        return f"it holds text such as {first!r}, as CSV does; convert it (pandas: read_csv(file).to_parquet(file))"
    return f"it begins with {head[:8]!r}, Parquet with {MARK!r}; write {file.name} as Parquet"
