"""Progress of a training as typed events: to a callable in this process, or as JSON lines to whoever started the
job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import msgspec

from rayapp.errors import UserError


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """Step `step` of `of` (from 1). `epoch` and `metric` (validation NDCG@10) where a pass over the data ended."""

    step: int
    of: int
    message: str
    epoch: int | None = None
    metric: float | None = None


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """Why a training ended without a result; `code` is that of the error (rayapp/errors.py)."""

    code: str
    message: str


OnProgress = Callable[[Progress], None]
Event = Progress | Failure


def silent(_: Progress) -> None:
    """Shows nothing."""


def lines(show: Callable[[str], None]) -> OnProgress:
    """A line per event: a step's first is `[step/of] message`, the others are indented below it."""
    current = 0

    def on_progress(event: Progress) -> None:
        nonlocal current
        show(f"[{event.step}/{event.of}] {event.message}" if event.step != current else f"      {event.message}")
        current = event.step

    return on_progress


class ProgressFile:
    """A job's side of the channel: events appended as JSON lines; an error that ends the block is the last one.

    The file is made by the process that started the job. Without a file nothing is written.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file

    def __call__(self, event: Event) -> None:
        if self.file is not None:
            with self.file.open("ab") as stream:
                stream.write(msgspec.json.encode(event) + b"\n")

    def __enter__(self) -> ProgressFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            code = error.code if isinstance(error, UserError) else "internal"
            self(Failure(code, str(error) or type(error).__name__))


class ProgressReader:
    """The parent's side: creates the file, then gives the events that were added since the last look."""

    def __init__(self, file: Path) -> None:
        file.write_bytes(b"")
        self.file = file
        self.offset = 0

    def events(self) -> Iterator[Event]:
        """Whole lines only; one that is being written comes with the next look."""
        with self.file.open("rb") as stream:
            stream.seek(self.offset)
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                self.offset += len(line)
                yield msgspec.json.decode(line, type=Event)
