"""Stage 3, preference optimisation: DPO with an SFT term on pairs of right and wrong answers."""

from __future__ import annotations

from typing import Any

from rayapp.cli.job import job
from rayapp.config import Config
from rayapp.terminal import console
from rayapp.training.redone_data import preference_data
from rayapp.training.redone_stage import StageOptions, run_stage, stage_options


@job("Stage 3, preference optimisation: DPO with an SFT term on pairs of right and wrong answers. Resumable.")
@stage_options("prefer")
def main(config: Config, options: StageOptions) -> dict[str, Any]:
    return run_stage(config, options, prepare=preference_data, say=console.print)


if __name__ == "__main__":
    main()
