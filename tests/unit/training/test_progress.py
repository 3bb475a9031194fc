"""Progress of a training in another process: typed events and the last error, never the text of its output."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rayapp.cli.first_model import run_with_progress
from rayapp.cli.machine.supervision import SupervisionError
from rayapp.errors import NotFound
from rayapp.training.progress import Failure, Progress, ProgressFile, ProgressReader, lines

JOB = """
import sys
from pathlib import Path
from rayapp.errors import NotFound
from rayapp.training.progress import Progress, ProgressFile

print("noise: Error: epoch 7")
with ProgressFile(Path(sys.argv[1])) as record:
    record(Progress(1, 2, "reading"))
    record(Progress(2, 2, "epoch 1", epoch=1, metric=0.25))
    {last}
"""


def job(tmp_path: Path, last: str) -> tuple[list[str], ProgressReader]:
    file = tmp_path / "progress.jsonl"
    return [sys.executable, "-c", JOB.format(last=last), str(file)], ProgressReader(file)


def test_a_parent_shows_events_and_not_the_output(tmp_path: Path) -> None:
    command, progress = job(tmp_path, "pass")
    shown: list[str] = []
    run_with_progress(command, progress, tmp_path / "log", shown.append)
    assert shown == ["[1/2] reading", "[2/2] epoch 1"]
    assert (tmp_path / "log").read_text() == "noise: Error: epoch 7\n"


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("raise NotFound('no such folder; name another')", r"\(not_found\): no such folder; name another"),
        ("1 / 0", r"\(internal\): division by zero"),
        ("import os; os._exit(3)", "with exit code 3"),
    ],
)
def test_a_failure_is_the_last_event_or_the_exit_code(tmp_path: Path, last: str, reason: str) -> None:
    command, progress = job(tmp_path, last)
    with pytest.raises(SupervisionError, match=f"training failed.*{reason}; see .*log"):
        run_with_progress(command, progress, tmp_path / "log", lambda line: None)


def test_a_line_that_is_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"
    reader = ProgressReader(file)
    record = ProgressFile(file)
    record(Progress(1, 1, "one"))
    with pytest.raises(NotFound), record:
        raise NotFound("gone")
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    assert list(reader.events()) == [Progress(1, 1, "one")]
    file.write_bytes(whole)
    assert list(reader.events()) == [Failure("not_found", "gone")]
    assert list(reader.events()) == []


def test_a_steps_first_line_has_its_number() -> None:
    shown: list[str] = []
    show = lines(shown.append)
    for event in (Progress(1, 2, "a"), Progress(1, 2, "b"), Progress(2, 2, "c")):
        show(event)
    assert shown == ["[1/2] a", "      b", "[2/2] c"]
