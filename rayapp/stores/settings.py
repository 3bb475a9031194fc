"""Settings of the store."""

from __future__ import annotations

from rayapp.section import Count, Days, Hours, Natural, Section


class Store(Section, frozen=True):
    """`url` empty: the embedded Valkey."""

    url: str = ""


class History(Section, frozen=True):
    """How much of a user's behaviour is kept, and what counts as seen or as a duplicate.

    A user without events for `user_days` is unknown again; impressions that did not make an item seen count for
    `impression_days` after the newest. An ad that a user saw `ads_cap` times within `ads_cap_hours` is not served to
    that user.
    """

    keep: Count = 500
    dedupe_hours: Hours = 24.0
    impressions_seen: Count = 3
    popularity_half_life_days: Days = 7.0
    ads_cap: Natural = 3
    ads_cap_hours: Hours = 24.0
    user_days: Days = 365.0
    impression_days: Days = 30.0
