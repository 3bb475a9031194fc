"""Training on next to nothing: a first version, or one line that says why there is none; never a version of nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
from click.testing import CliRunner, Result

from jobs.train_redrec import main
from rayapp.cluster import connect_ray
from rayapp.stores.registry import Registry


@pytest.fixture(scope="module")
def _ray() -> Iterator[None]:
    connect_ray(quiet=True)
    yield
    ray.shutdown()


def folder(path: Path, items: list[str], pairs: list[tuple[str, str]]) -> Path:
    data = path / "data"
    data.mkdir()
    rows = [{"user_id": user, "item_id": item, "timestamp": 1_700_000_000 + n} for n, (user, item) in enumerate(pairs)]
    notes = [{"item_id": item, "title": f"note {item}"} for item in items]
    schema = pa.schema([("user_id", pa.string()), ("item_id", pa.string()), ("timestamp", pa.int64())])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), data / "interactions.parquet")
    pq.write_table(pa.Table.from_pylist(notes), data / "items.parquet")
    return data


def trained(path: Path, data: Path) -> Result:
    config = path / "config.yaml"
    config.write_text(f"state: {path / 'state'}\n")
    options = ["--data", str(data), "--minutes", "0.02", "--holdout", "1", "--train-config", "feed", "--name", "redrec"]
    return CliRunner().invoke(main, ["--config", str(config), *options])


def versions(path: Path) -> list[int]:
    return Registry(str(path / "state" / "models"), "redrec").versions()


ITEMS = [f"i{n}" for n in range(8)]


@pytest.mark.usefixtures("_ray")
def test_one_event_a_user_makes_a_first_version(tmp_path: Path) -> None:
    """Nothing can be validated: no user has a last event beside those that are trained on."""
    result = trained(tmp_path, folder(tmp_path, ITEMS, [(f"u{n}", f"i{n % 8}") for n in range(40)]))
    assert result.exit_code == 0, result.output[-2000:]
    assert "no user has two events" in result.output
    assert "Traceback" not in result.output
    assert versions(tmp_path) == [1]


@pytest.mark.usefixtures("_ray")
@pytest.mark.parametrize("pairs", [[("u", "other")] * 10, []], ids=["ids that do not match", "no rows"])
def test_a_model_of_nobody_is_not_made(tmp_path: Path, pairs: list[tuple[str, str]]) -> None:
    result = trained(tmp_path, folder(tmp_path, ITEMS, pairs))
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()[-1]) < 500
    assert "Traceback" not in result.output
    assert versions(tmp_path) == []
