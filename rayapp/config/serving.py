"""Settings of the request path, and of experiments as they run."""

from __future__ import annotations

from rayapp.section import Count, Natural, NonNegative, Positive, Section, Share


class Serving(Section, frozen=True):
    """The request path. `explore` is the share of slots filled uniformly at random and logged as such."""

    host: str = ""
    profile: str = "laptop"
    replicas: Count = 1
    max_ongoing: Count = 64
    explore: Share = 0.01
    max_k: Count = 200
    page_ttl_s: Count = 1800
    search_user_weight: NonNegative = 0.1
    cached_interests: Natural = 10_000
    poll_s: Positive = 0.5
    seed: Natural = 0


class Experiments(Section, frozen=True):
    """Reports of running experiments are updated each `look_s` s, for alarms; each is available at any time."""

    look_s: Positive = 300.0
