"""Stage 3, preference optimisation: DPO with an SFT term on right against wrong answers."""

from __future__ import annotations

from typing import Any

from jobs._job import job
from jobs._redone_data import preference_data
from jobs._redone_stage import StageOptions, run_stage, stage_options
from rayapp.config import Config
from rayapp.redone.training.recipe import Recipe


@job("Stage 3, preference optimisation: DPO with an SFT term on right against wrong answers. Run again to resume.")
@stage_options("prefer")
def main(config: Config, options: StageOptions) -> dict[str, Any]:
    data, official = options.data, options.official

    def prepare(chosen: Recipe, base: str, begun: str) -> tuple[Any, dict[str, Any]]:
        return preference_data(config, chosen, base, begun, data, official)

    return run_stage(config, options, prepare)


if __name__ == "__main__":
    main()
