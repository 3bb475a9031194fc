"""Settings of online learning."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from rayapp.section import Count, Few, Natural, Norm, PositiveRate, Rate, Seconds, Section, Seed, Weight


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
    max_age_s: Seconds = 5.0
    publish_s: Seconds = 10.0
    gate_wait_s: Seconds = 30.0
    late_s: Seconds = 60.0
    on_gap: Literal["stop", "skip"] = "stop"
    lr: PositiveRate = 3e-4
    lr_floor: Rate = 1e-4
    lr_half: Count = 1000
    clip: Norm = 1.0
    batch: Count = 256
    negatives: Natural = 512
    in_batch: Natural = 128
    impressions: Weight = 0.2
    reservoir: Natural = 512
    replay: Annotated[float, Meta(ge=0, le=100.0)] = 0.25
    frequency_half_life: Annotated[float, Meta(ge=1, le=1e9)] = 5_000
    id_embeddings: Literal["without_text", "all"] = "without_text"
    id_lr: Rate = 0.05
    keep_versions: Annotated[int, Meta(ge=1, le=10_000)] = 10
    workers: Few = 1
    seed: Seed = 0
