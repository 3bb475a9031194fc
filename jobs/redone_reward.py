"""The optional fourth stage: reinforcement learning on the tasks' metrics, as RedOne 2.0 does."""

from __future__ import annotations

from typing import Any

from rayapp.cli.job import job
from rayapp.config import Config
from rayapp.terminal import console
from rayapp.training.redone_data import reward_data
from rayapp.training.redone_stage import StageOptions, run_stage, stage_options


@job("Stage 4, reinforcement learning: the model's own answers, rewarded by the tasks' metrics. Resumable.")
@stage_options("reward")
def main(config: Config, options: StageOptions) -> dict[str, Any]:
    return run_stage(config, options, prepare=reward_data, say=console.print)


if __name__ == "__main__":
    main()
