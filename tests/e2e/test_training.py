"""The training and evaluation jobs: submitted to the running cluster, and with bad input by hand."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from rayapp.cli.machine.paths import Layout
from rayapp.data.folder import DataFolder
from rayapp.data.sample_world import write_sample_world
from rayapp.stores.registry import Registry
from tests.e2e.conftest import System
from tests.helpers import eventually


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_world(tmp_path_factory.mktemp("small") / "world", notes=300, ads=30, users=80)


def submit(system: System, module: str, *arguments: str) -> subprocess.Popen[str]:
    """`ray job submit -- python -m jobs.<module>` as a user types it, its output followed."""
    address = f"http://127.0.0.1:{system.config.ports.dashboard}"
    ray = str(Path(sys.executable).parent / "ray")
    return subprocess.Popen(
        [ray, "job", "submit", "--address", address, "--", "python", "-m", f"jobs.{module}", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **Layout(system.state).environment()},
    )


def has_checkpoint(runs: Path) -> bool:
    """Whether a run has a checkpoint that Ray Train has entered in its books: what a restart finds."""
    for books in runs.glob("train-redrec-world-*/checkpoint_manager_snapshot.json"):
        try:
            if json.loads(books.read_text())["latest_checkpoint_result"]:
                return True
        except json.JSONDecodeError:
            continue  # being written
    return False


def done(system: System, out: Path, module: str, *arguments: str) -> dict[str, Any]:
    """The result of a job that must not fail."""
    process = submit(system, module, *arguments, "--out", str(out))
    text, _ = process.communicate(timeout=240)
    assert process.returncode == 0, text
    return dict(json.loads(out.read_text()))


def test_a_killed_training_resumes_and_is_evaluated_beside_baselines(
    system: System, world: Path, tmp_path: Path
) -> None:
    out = tmp_path / "train.json"
    train = ("train_redrec", "--data", str(world), "--train-config", "feed", "--minutes", "0.4", "--out", str(out))
    first = submit(system, *train)
    runs = system.state / "train"
    eventually(lambda: has_checkpoint(runs), 300, "a checkpoint")
    for process in system.processes(f"jobs.train_redrec --data {world}"):
        process.send_signal(signal.SIGKILL)
    first.communicate(timeout=120)
    assert first.returncode != 0
    registry = Registry(system.config.models, "redrec-world")
    assert registry.versions() == []
    second = submit(system, *train)
    text, _ = second.communicate(timeout=300)
    assert second.returncode == 0, text
    assert registry.versions() == [1]
    report = json.loads(out.read_text())
    assert report["model"] == "redrec-world"
    assert report["metrics"]["resumed_after_epochs"][0] >= 1, text

    result = tmp_path / "evaluate.json"
    rows = done(system, result, "evaluate_redrec", "--data", str(world))["rows"]
    assert list(rows) == ["popularity", "item-kNN", "redrec-world@1"]
    model = rows["redrec-world@1"]
    assert set(model["kept"]) == {f"{m}@{k}" for m in ("hr", "ndcg") for k in (5, 10, 50, 100)} | {"mrr"}
    assert model["masked"]["hr@100"] > rows["popularity"]["masked"]["hr@100"]


def test_a_catalogue_is_encoded_once_and_scenarios_are_compared(system: System, world: Path, tmp_path: Path) -> None:
    two = tmp_path / "two"
    two.mkdir()
    shutil.copy(world / "items.parquet", two)
    log = pq.read_table(world / "interactions.parquet")
    pq.write_table(log.filter(pc.not_equal(log["scenario"], "ads")), two / "interactions.parquet")
    out, data = tmp_path / "out.json", ("--data", str(two))
    cache = ("--cache", str(tmp_path / "cache"))
    assert done(system, out, "encode_items", *data, *cache)["encoded"] > 300
    assert done(system, out, "encode_items", *data, *cache)["encoded"] == 0
    scenarios = sorted(set(DataFolder(two).interactions()["scenario"].to_pylist()))
    assert len(scenarios) == 2
    train = ("train_redrec", *data, "--train-config", "feed", "--split", "scenario", "--minutes", "0.1")
    done(system, out, *train, "--name", "both")
    for scenario in scenarios:
        done(system, out, *train, "--name", f"{scenario}-alone", "--scenario", scenario)
    alone = [part for scenario in scenarios for part in ("--alone", f"{scenario}-alone")]
    groups = done(system, out, "evaluate_cross", *data, "--together", "both", *alone)["groups"]
    whole, several = groups["all"], groups["users of several scenarios"]
    assert whole["targets"] >= several["targets"] > 0
    assert list(whole["arms"]) == ["popularity", "item-kNN", "item-kNN, its own events", "each alone", "both"]
    assert set(whole["arms"]["both"]["over each alone, hr@10"]) == {"kept", "masked"}
    refused = submit(system, "evaluate_redrec", *data, "--name", "both")
    text, _ = refused.communicate(timeout=120)
    assert refused.returncode != 0
    assert "has seen the test events" in text


def test_the_archive_is_a_data_folder(system: System, tmp_path: Path) -> None:
    report = done(system, tmp_path / "archive.json", "archive_events")
    registry = Registry(system.config.models)
    assert report["records"]["behaviour"] >= registry.manifest(1).events_seen
    folder = DataFolder(report["archive"])
    assert folder.interactions().num_rows >= registry.manifest(1).events_seen
    assert len(folder.items()) == report["items"] > 100
