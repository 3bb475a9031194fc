"""The fenced blocks of a Markdown file, and whether an output is what a document says it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^(```+|~~~+)\s*(\S*)\s*$")
LEFT_OUT = "…"


class Block(NamedTuple):
    """One fenced block: its language ('' for none), its text, its first line's number; `output` is the untagged block
    that follows it with nothing but empty lines between."""

    language: str
    text: str
    line: int
    output: str = ""

    @property
    def name(self) -> str:
        return f"line-{self.line}-{self.language or 'output'}"


def blocks(text: str) -> list[Block]:
    """Every fenced block in order. Raises ValueError for one that never ends."""
    found: list[Block] = []
    lines = text.splitlines()
    after = -1  # the line behind the newest block, as long as nothing but empty lines followed
    at = 0
    while at < len(lines):
        opening = FENCE.match(lines[at])
        if opening is None:
            after = after if lines[at].strip() == "" else -1
            at += 1
            continue
        end = next((n for n in range(at + 1, len(lines)) if lines[n].strip() == opening[1]), None)
        if end is None:
            raise ValueError(f"line {at + 1}: the block never ends")
        block = Block(opening[2], "\n".join(lines[at + 1 : end]) + "\n", at + 2)
        if block.language == "" and after >= 0 and found and found[-1].language:
            found[-1] = found[-1]._replace(output=block.text)
        else:
            found.append(block)
        at = after = end + 1
    return found


def runnable(file: Path, languages: tuple[str, ...] = ("sh", "python")) -> list[Block]:
    return [block for block in blocks(file.read_text(encoding="utf-8")) if block.language in languages]


def missing(documented: str, output: str) -> list[str]:
    """Lines of a documented output that the output has not; `…` stands for anything within a line."""

    def pattern(line: str) -> str:
        return ".*?".join(re.escape(part) for part in line.split(LEFT_OUT))

    lines = [line.strip() for line in documented.splitlines() if line.strip()]
    return [line for line in lines if not re.search(pattern(line), output)]
