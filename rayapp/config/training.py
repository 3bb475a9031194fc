"""Settings of the first model."""

from __future__ import annotations

from rayapp.section import Minutes, Section


class Training(Section, frozen=True):
    """The first model of `rayapp up`. `config`: a YAML of training settings, or the name of one of jobs/configs, for
    this and every `train_redrec`; empty: `feed` here and `next_item` there."""

    minutes: Minutes = 6.0
    config: str = ""
