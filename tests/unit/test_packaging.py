"""What an installed wheel has, and what serving can do without."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The extras `train` and `evaluate`, by the name they are imported with.
OPTIONAL = ("trl", "lightgbm", "datasketch", "sacrebleu", "torchmetrics", "rapidfuzz", "matplotlib")
WITHOUT_THEM = (
    "rayapp.cli.main",
    "rayapp.cli.up",
    "rayapp.cli.machine.control",
    "rayapp.serving.app",
    "rayapp.serving.services",
    "rayapp.learner.learner",
    "streaming.history_writer",
    "streaming.catalogue_writer",
    "jobs.learn_online",
    "jobs.moderate_items",
    "jobs.train_redrec",
    "jobs.write_catalogue",
    "jobs.write_history",
)


@pytest.mark.parametrize("modules", [WITHOUT_THEM], ids=["serving, learning and training RED-Rec"])
def test_post_training_and_evaluation_are_extras(modules: tuple[str, ...]) -> None:
    script = f"""
import importlib, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OPTIONAL!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
for module in {modules!r}:
    importlib.import_module(module)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_wheel_has_serve_configs_dashboards_console_and_weights(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(tmp_path)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, pattern in (
        ("rayapp/packaged/serve_configs", "*.yaml"),
        ("rayapp/packaged/serve_configs/experiments", "*.yaml"),
        ("rayapp/packaged/deploy/prometheus", "*.yml"),
        ("rayapp/packaged/deploy/grafana", "*.json"),
        ("rayapp/console", "*.js"),
        ("rayapp/llm/RedOne-135M", "*"),
        ("rayapp/moderation", "*.yaml"),
        ("rayapp/stores/valkey", "*.lua"),
        ("jobs/configs", "*.yaml"),
    ):
        wanted = {f"{folder}/{file.name}" for file in (ROOT / folder).glob(pattern) if file.is_file()}
        assert wanted, folder
        assert wanted <= names, f"{folder}: the wheel lacks {sorted(wanted - names)}"
