from __future__ import annotations

from pathlib import Path

import pytest

from jobs import RECIPES
from rayapp.training.redrec_settings import TrainingError, load_train_config


@pytest.mark.parametrize("name", sorted(file.stem for file in RECIPES.glob("*.yaml") if "redone" not in file.stem))
def test_every_packaged_file_is_within_its_limits(name: str) -> None:
    assert load_train_config(name, {}, packaged=RECIPES).minutes > 0


def test_heads_that_do_not_divide_the_width_are_refused_before_training(tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text("model: {width: 100, heads: 3}\n")
    with pytest.raises(TrainingError, match=r"model\.width: 100 must be a multiple of model\.heads, 3"):
        load_train_config(str(file), {}, packaged=RECIPES)
