"""The application as Serve builds it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from rayapp.config import Config, Serving, save_config
from rayapp.serving.app import build


def test_it_is_built_for_one_machine_and_for_a_cluster(tmp_path: Path) -> None:
    for profile in ("laptop", "cluster"):
        file = tmp_path / f"{profile}.yaml"
        save_config(msgspec.structs.replace(Config(), serving=Serving(profile=profile)), file)
        assert build({"config": str(file)}) is not None
