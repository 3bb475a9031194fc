"""The official files of SNS-Bench and RedTrans-Bench, read from a folder as they are: for evaluation only.

Which task a file is of follows from its name and its folder's; of a record the usual
names of fields are known. What cannot be read says which fields there are, and
nothing is guessed beyond that. Records that are data without an instruction are
asked in the wording that no training saw (`wording`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rayapp.errors import UserError
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.texts import EMPTY
from rayapp.redone.tasks.translation import translation
from rayapp.redone.tasks.wording import instruction_of

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
INSTRUCTIONS = ("instruction", "prompt")
QUESTIONS = ("question", "query", "input", "title", "content", "text", "note", "comment")
ANSWERS = ("output", "answer", "label", "response", "target", "reference", "gold", "truth")
OPTIONS = ("options", "candidates", "choices", "categories")
FEW = 20  # distinct answers of a file that are its options
CLOSED = ("query_corr_topic", "query_corr_explain", "gender", "taxonomy_single", "hashtag_single")


class OfficialFileError(UserError):
    """A benchmark file cannot be read."""


def official_examples(folder: Path) -> list[Example]:
    """All questions of all files of the folder. Raises OfficialFileError."""
    files = sorted(f for f in folder.rglob("*") if f.suffix in (".json", ".jsonl")) if folder.is_dir() else []
    examples = [example for file in files for example in _of(file, folder)]
    if not examples:
        raise OfficialFileError(
            f"{folder}: no file of SNS-Bench or RedTrans-Bench is there; give the folder with their JSON files"
        )
    return examples


def is_official(file: str) -> bool:
    """Whether a file belongs to a benchmark by its name or its folder's; training refuses such files."""
    name, folder = _plain(Path(file).stem), _plain(Path(file).parent.name)
    return any(bench in part for bench in ("snsbench", "redtrans") for part in (name, folder)) or bool(
        re.match(r"note(taxonomy|hashtag|querycorr|mrc|ner|gender|chlw|querygen)", name)
    )


def _of(file: Path, folder: Path) -> Iterator[Example]:
    records = _records(file)
    if records and set(records[0]) >= TRANSLATION:
        for record in records:
            yield translation(record[record["src_lang"]], record[record["dst_lang"]], record["dst_lang"], file.stem)
        return
    name = _plain(str(file.relative_to(folder).with_suffix("")))
    task = next((task for task, pattern in FILES.items() if re.search(pattern, name)), None)
    if task is None:
        return
    read = [_read(record, task, f"{file}, record {n}") for n, record in enumerate(records, 1)]
    answers = sorted({answer for _, _, answer, _ in read})
    shared = tuple(answers) if task in CLOSED and len(answers) <= FEW else ()
    for instruction, question_text, answer, options in read:
        possible = options or shared
        question = f"{instruction or instruction_of(task, possible)}\n{question_text}".strip()
        yield Example(
            task,
            question,
            answer,
            possible,
            note=question_text or instruction,
            query=", ".join(options),
            source=file.stem,
        )


def _read(record: dict[str, Any], task: str, where: str) -> tuple[str, str, str, tuple[str, ...]]:
    """(instruction, what it is about, answer, options); one of the first two may be empty."""
    turns = record.get("messages") or record.get("conversations")
    if turns:
        texts = [str(turn.get("content", turn.get("value", ""))) for turn in turns]
        instruction, question_text, answer = texts[0], "\n".join(texts[1:-1]), texts[-1]
    else:
        answers = _named(record, ANSWERS)
        answer_values = [record[k] for k in answers]
        instructions = [record[k] for k in _named(record, INSTRUCTIONS) if record[k]]
        instruction = "\n".join(map(str, instructions))
        others = [k for k in _named(record, QUESTIONS) if k not in answers and record[k]]
        # Under an instruction the fields are as the benchmark wants them; without one a name says what each is.
        question_text = "\n".join(str(record[k]) if instruction else f"{k}: {record[k]}" for k in others)
        if not (instruction or question_text) or not answer_values:
            raise OfficialFileError(
                f"{where}: no question or answer; it has {', '.join(record)}, known are "
                f"{', '.join((*INSTRUCTIONS, *QUESTIONS))} and {', '.join(ANSWERS)}"
            )
        answer = _text(answer_values[0], " " if task == "mrc_simple" else "; ")
    options = next((record[k] for k in OPTIONS if record.get(k)), ())
    if isinstance(options, str):
        options = [part.strip() for part in re.split(r"[;,\n、，；]", options) if part.strip()]
    chosen = tuple(map(str, options))
    return instruction, question_text, answer, chosen if answer in chosen else ()


def _named(record: dict[str, Any], known: tuple[str, ...]) -> list[str]:
    """The record's fields of these names, and after them those that end in one (`note_title`, `gold_answers`)."""
    exact = [name for name in known if name in record]
    ending = tuple(f"_{name}{s}" for name in known for s in ("", "s"))
    plural = [f for f in record if f not in exact and (f.endswith(ending) or f.removesuffix("s") in known)]
    return [*exact, *plural]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _text(value: Any, between: str) -> str:
    if isinstance(value, list):
        return between.join(map(str, value)) or EMPTY
    return str(value).strip() or EMPTY


def _records(file: Path) -> list[dict[str, Any]]:
    try:
        text = file.read_text()
        content = (
            [json.loads(line) for line in text.splitlines() if line.strip()]
            if file.suffix == ".jsonl"
            else json.loads(text)
        )
    except (ValueError, OSError) as error:
        raise OfficialFileError(f"{file}: not JSON ({error})") from None
    if isinstance(content, dict):
        content = next((value for value in content.values() if isinstance(value, list)), [])
    return [record for record in content if isinstance(record, dict)]
