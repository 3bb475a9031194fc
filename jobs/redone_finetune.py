"""Stage 2, supervised fine-tuning on tasks, moderation and general instructions, packed."""

from __future__ import annotations

from typing import Any

from rayapp.cli.job import job
from rayapp.config import Config
from rayapp.terminal import console
from rayapp.training.redone_data import packed_data
from rayapp.training.redone_stage import StageOptions, run_stage, stage_options


@job("Stage 2, supervised fine-tuning on tasks, moderation and general instructions, packed. Resumable.")
@stage_options("finetune")
def main(config: Config, options: StageOptions) -> dict[str, Any]:
    return run_stage(config, options, prepare=packed_data, say=console.print)


if __name__ == "__main__":
    main()
