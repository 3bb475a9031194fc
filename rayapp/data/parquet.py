"""A table as Parquet: one file, or a folder of parts as Spark and others write it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rayapp.data.errors import DataFolderError

MARK = b"PAR1"


def parts_of(path: Path) -> list[Path]:
    """The Parquet files of a table, sorted; hidden files and marks such as _SUCCESS are none. Empty when there are
    none."""
    if path.is_file():
        return [path]
    return sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and file.suffix == ".parquet" and not file.name.startswith((".", "_"))
    )


def read_table(path: Path) -> pa.Table:
    """All parts of a table, columns of the same name together. Raises DataFolderError, which names the file."""
    files = parts_of(path)
    if not files:
        raise DataFolderError(f"{path} is a folder without a .parquet file; write the table there, or give another one")
    tables = [_read(file) for file in files]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataFolderError(f"{path}: its parts have different columns: {_line(error)}; write them anew") from None


def _read(file: Path) -> pa.Table:
    try:
        return pq.ParquetFile(file).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        with file.open("rb") as opened:
            head = opened.read(64)
        raise DataFolderError(f"{file} cannot be read as Parquet: {_guess(file, head, error)}") from None


def _guess(file: Path, head: bytes, error: Exception) -> str:
    if not head:
        return "it is empty; write it again"
    if head.startswith(MARK):
        return f"it is cut off or damaged ({_line(error)}); copy or write it again"
    text = head.decode(errors="replace")
    if head.lstrip()[:1] in b"[{":
        return "it holds JSON; convert it (pandas: read_json(file, lines=True).to_parquet(file))"
    if "," in text or "\t" in text or ";" in text:
        first = text.splitlines()[0][:60]
        return f"it holds text such as {first!r}, as CSV does; convert it (pandas: read_csv(file).to_parquet(file))"
    return f"it begins with {head[:8]!r}, Parquet with {MARK!r}; write {file.name} as Parquet"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
