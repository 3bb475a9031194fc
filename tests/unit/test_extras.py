"""A package of an extra that is not installed is one line with the remedy, in jobs and in commands."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from rayapp.cli.main import cli
from rayapp.extras import EXTRAS, missing

ROOT = Path(__file__).parents[2]
SITE = """
import sys
sys.modules["{package}"] = None
"""


@pytest.mark.parametrize(("job", "package"), [("evaluate_redone", "rapidfuzz"), ("redone_finetune", "trl")])
def test_a_job_without_its_extra_ends_with_one_line(job: str, package: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SITE.format(package=package))
    ended = subprocess.run(
        [sys.executable, "-m", f"jobs.{job}", "--help"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"Error: the package {package} is not installed")
    assert "Traceback" not in ended.stderr
    assert f"[cpu,{EXTRAS[package]}]" in ended.stderr


def test_a_command_without_its_extra_ends_with_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def lacks(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib.figure")

    monkeypatch.setattr("rayapp.cli.main.running_config", lacks)
    ended = CliRunner().invoke(cli, ["--state", str(tmp_path), "model", "list"])
    assert ended.exit_code == 2
    assert "rayapp: the package matplotlib is not installed" in ended.output


def test_other_missing_modules_keep_their_traceback() -> None:
    assert missing(ModuleNotFoundError("No module named 'rayapp.gone'", name="rayapp.gone")) is None
    assert missing(ValueError("x")) is None


def test_every_package_named_is_in_its_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for package, extra in EXTRAS.items():
        assert any(line.startswith(package) for line in extras[extra]), package
