"""The official files of SNS-Bench and RedTrans-Bench, read from a folder as they are: for evaluation only.

Which task a file is of follows from its name; of a record the usual names of fields
are known. What cannot be read says which fields there are, and nothing is guessed
beyond that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rayapp.config import ConfigError
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.texts import EMPTY
from rayapp.redone.tasks.translation import translation

# In the file's name, lower case and without marks; the first that fits.
FILES = {
    "taxonomy_multiple": r"taxonomy.*multi|multi.*taxonomy",
    "taxonomy_single": r"taxonomy",
    "hashtag_multiple": r"hashtag.*multi|multi.*hashtag",
    "hashtag_single": r"hashtag",
    "query_corr_topic": r"querycorr.*topic|topic.*querycorr",
    "query_corr_explain": r"querycorr",
    "mrc_complex": r"mrc.*complex|complex.*mrc",
    "mrc_simple": r"mrc",
    "ner": r"ner(?![a-z])|noten?er",
    "gender": r"gender",
    "chlw": r"chlw|highlight",
    "query_gen": r"querygen",
}
TRANSLATION = {"en", "zh", "src_lang", "dst_lang"}
QUESTIONS = ("prompt", "question", "query", "input", "content", "text")
ANSWERS = ("output", "answer", "answers", "label", "response", "target", "reference", "gold")
OPTIONS = ("options", "candidates", "choices", "categories")
FEW = 20  # distinct answers of a file that are its options
CLOSED = ("query_corr_topic", "query_corr_explain", "gender", "taxonomy_single", "hashtag_single")


def official_examples(folder: Path) -> list[Example]:
    """All questions of all files of the folder. Raises ConfigError."""
    files = sorted(f for f in folder.rglob("*") if f.suffix in (".json", ".jsonl")) if folder.is_dir() else []
    found = [example for file in files for example in _of(file)]
    if not found:
        raise ConfigError(
            f"--official {folder}: no file of SNS-Bench or RedTrans-Bench is there; give the folder with their JSON files"
        )
    return found


def is_official(file: str) -> bool:
    """Whether a file is one of theirs by its name: training refuses it."""
    name = re.sub(r"[^a-z0-9]", "", Path(file).stem.lower())
    return (
        "snsbench" in name
        or "redtrans" in name
        or bool(re.match(r"note(taxonomy|hashtag|querycorr|mrc|ner|gender|chlw|querygen)", name))
    )


def _of(file: Path) -> Iterator[Example]:
    records = _records(file)
    if records and set(records[0]) >= TRANSLATION:
        for record in records:
            yield translation(record[record["src_lang"]], record[record["dst_lang"]], record["dst_lang"], file.stem)
        return
    name = re.sub(r"[^a-z0-9]", "", file.stem.lower())
    task = next((task for task, pattern in FILES.items() if re.search(pattern, name)), None)
    if task is None:
        return
    read = [_read(record, task, f"{file}, record {n}") for n, record in enumerate(records, 1)]
    answers = sorted({answer for _, answer, _ in read})
    shared = tuple(answers) if task in CLOSED and len(answers) <= FEW else ()
    for question, answer, options in read:
        yield Example(
            task, question, answer, options or shared, note=question, query=", ".join(options), source=file.stem
        )


def _read(record: dict[str, Any], task: str, where: str) -> tuple[str, str, tuple[str, ...]]:
    """(question, answer, options)."""
    turns = record.get("messages") or record.get("conversations")
    if turns:
        texts = [str(turn.get("content", turn.get("value", ""))) for turn in turns]
        question, answer = "\n".join(texts[:-1]), texts[-1]
    else:
        asked = [str(record[k]) for k in ("instruction", *QUESTIONS) if record.get(k)]
        said = next((record[k] for k in ANSWERS if k in record), None)
        if not asked or said is None:
            raise ConfigError(
                f"{where}: no question or answer; it has {', '.join(record)}, known are instruction, "
                f"{', '.join(QUESTIONS)} and {', '.join(ANSWERS)}"
            )
        question, answer = "\n".join(asked), _text(said, " " if task == "mrc_simple" else "; ")
    options = next((record[k] for k in OPTIONS if record.get(k)), ())
    if isinstance(options, str):
        options = [part.strip() for part in re.split(r"[;,\n、，；]", options) if part.strip()]
    chosen = tuple(map(str, options))
    return question, answer, chosen if answer in chosen else ()


def _text(said: Any, between: str) -> str:
    if isinstance(said, list):
        return between.join(map(str, said)) or EMPTY
    return str(said).strip() or EMPTY


def _records(file: Path) -> list[dict[str, Any]]:
    try:
        text = file.read_text()
        found = (
            [json.loads(line) for line in text.splitlines() if line.strip()]
            if file.suffix == ".jsonl"
            else json.loads(text)
        )
    except (ValueError, OSError) as error:
        raise ConfigError(f"{file}: not JSON ({error})") from None
    if isinstance(found, dict):
        found = next((value for value in found.values() if isinstance(value, list)), [])
    return [record for record in found if isinstance(record, dict)]
