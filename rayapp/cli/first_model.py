"""The first model of a system: `jobs.train_redrec` submitted as a Ray job, its progress shown."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from click import echo as say

from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.supervision import SupervisionError
from rayapp.config import Config
from rayapp.data.folder import DataFolder
from rayapp.stores.registry import Registry
from rayapp.training.progress import Failure, ProgressReader, lines

POLL_S = 0.3


def first_model(config: Config, layout: Layout, folder: DataFolder, offsets: dict[str, dict[str, int]]) -> None:
    """Train a version from the folder unless the registry has one that was made from it. Raises SupervisionError."""
    registry = Registry(config.models, config.name)
    record = layout.sent / f"{folder.digest()}.json"
    sent = layout.read(record)
    if sent.get("version") and registry.pointer("CURRENT"):
        return
    say(f"training the first model, at most {config.training.minutes:g} minutes")
    progress = layout.state / "first_model_progress.jsonl"
    command = [
        str(Path(sys.executable).parent / "ray"),
        *("job", "submit", "--address", f"http://127.0.0.1:{config.ports.dashboard}", "--"),
        *(sys.executable, "-m", "jobs.train_redrec", "--data", str(folder.path.resolve())),
        *("--config", str(layout.config), "--name", config.name, "--holdout", "1"),
        *("--train-config", config.training.config or "feed", "--minutes", str(config.training.minutes)),
        *("--offsets", json.dumps(offsets)),
        *("--out", str(layout.state / "first_model.json")),
        *("--progress", str(progress)),
    ]
    run_with_progress(command, ProgressReader(progress), layout.logs / "train.log", lambda line: say(f"  {line}"))
    sent["version"] = registry.resolve("CURRENT")
    layout.write(record, sent)


def run_with_progress(command: list[str], progress: ProgressReader, log: Path, show: Callable[[str], None]) -> None:
    """Run the command with its output in `log`, and show the progress events that it appends to the file.

    Raises SupervisionError with the command's last failure event when it exits non-zero.
    """
    show_event = lines(show)
    failure: Failure | None = None
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        ended = False
        while not ended:
            ended = process.poll() is not None  # asked before reading, so that nothing written before the end is missed
            for event in progress.events():
                if isinstance(event, Failure):
                    failure = event
                else:
                    show_event(event)
            if not ended:
                time.sleep(POLL_S)
    if process.returncode:
        reason = f" ({failure.code}): {failure.message}" if failure else f" with exit code {process.returncode}"
        raise SupervisionError(f"training failed{reason}; see {log}, then run `rayapp up` again")
