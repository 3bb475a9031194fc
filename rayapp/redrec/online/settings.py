"""Settings of online learning."""

from __future__ import annotations

from typing import Literal

from rayapp.section import Count, Natural, NonNegative, Positive, Section


class OnlineSettings(Section, frozen=True):
    """The online learner's windows, steps and publishing; a candidate waits up to `gate_wait_s` for its comparison.

    An impression becomes a negative of weight `impressions` when no feedback
    came within `late_s`; `replay` older positives are mixed in for every new
    one, from a sample of `reservoir`. `lr` falls to `lr_floor`, by half in
    `lr_half` steps. `on_gap`: what to do when retention took records before
    they were learned, `stop` or `skip`. Items without text (or `all`) learn an
    embedding of their id with `id_lr`; how popular an item is as a negative
    is counted with a half-life of `frequency_half_life` positives.
    """

    max_rows: Count = 20_000
    max_age_s: NonNegative = 5.0
    publish_s: NonNegative = 10.0
    gate_wait_s: NonNegative = 30.0
    late_s: NonNegative = 60.0
    on_gap: Literal["stop", "skip"] = "stop"
    lr: Positive = 3e-4
    lr_floor: NonNegative = 1e-4
    lr_half: Count = 1000
    clip: Positive = 1.0
    batch: Count = 256
    negatives: Natural = 512
    in_batch: Natural = 128
    impressions: NonNegative = 0.2
    reservoir: Natural = 512
    replay: NonNegative = 0.25
    frequency_half_life: Positive = 5_000
    id_embeddings: Literal["without_text", "all"] = "without_text"
    id_lr: NonNegative = 0.05
    keep_versions: Count = 10
    workers: Count = 1
    seed: Natural = 0
