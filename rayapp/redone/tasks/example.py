"""One question of a task with its reference answer, and files of them: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from rayapp.errors import UserError


class ExampleError(UserError):
    """A file of examples cannot be read; the message names the line."""


class Example(msgspec.Struct, frozen=True, omit_defaults=True):
    """`question` is the whole user turn and `answer` what the model should say to it.

    `options`: the answers that can be right, where there are few (candidate likelihood chooses among them);
    `note`: the note's text alone, for baselines and decontamination; `source`: the set it comes from;
    `instruction`: the part of the question that all of its kind share, at its start (may be empty).
    """

    task: str
    question: str
    answer: str
    options: tuple[str, ...] = ()
    note: str = ""
    query: str = ""
    source: str = ""
    instruction: str = ""


_decoder = msgspec.json.Decoder(Example)
_encoder = msgspec.json.Encoder()


def read_examples(file: Path) -> Iterator[Example]:
    """Our own JSONL. Raises ExampleError with the line's number."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield _decoder.decode(line)
            except msgspec.DecodeError as error:
                raise ExampleError(
                    f"{file}, line {number}: {error}; give one JSON object a line with task, question, answer"
                ) from None


def write_examples(file: Path, examples: Iterable[Example]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        for example in examples:
            out.write(_encoder.encode(example) + b"\n")
