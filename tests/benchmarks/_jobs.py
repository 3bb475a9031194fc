"""Jobs as a user starts them, for benchmarks that need several."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def run_job(module: str, *arguments: str) -> dict[str, Any]:
    """What `python -m jobs.<module> … --out` writes; its output is shown. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        subprocess.run([sys.executable, "-m", f"jobs.{module}", *arguments, "--out", str(out)], check=True)
        return dict(json.loads(out.read_text()))


def trained(models: Path, name: str, *arguments: str) -> str:
    """Train a model of this name below `models`, unless it is there: its name."""
    if not (models / name / "CURRENT").exists():
        run_job("train_redrec", "--models", str(models), "--name", name, *arguments)
    return name
