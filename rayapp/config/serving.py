"""Settings of the request path, and of experiments as they run."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from rayapp.section import Count, Few, Natural, PositiveSeconds, Section, Seed, Share, Weight

Origin = Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+$", max_length=300)]
ANY_ADDRESS = ("0.0.0.0", "::", "[::]")


class Serving(Section, frozen=True):
    """The request path. `explore` is the share of slots filled uniformly at random and logged as such.

    `origins`: other sites whose pages may call from a browser, such as https://shop.example.
    """

    host: str = ""
    origins: tuple[Origin, ...] = ()
    profile: Literal["laptop", "cluster"] = "laptop"
    replicas: Few = 1
    max_ongoing: Count = 64
    explore: Share = 0.01
    max_k: Annotated[int, Meta(ge=1, le=10_000)] = 200
    page_ttl_s: Count = 1800
    search_user_weight: Weight = 0.1
    cached_interests: Natural = 10_000
    poll_s: PositiveSeconds = 0.5
    seed: Seed = 0

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names beside this machine's own that the system may be called by without API keys."""
        if not self.host or self.host in ANY_ADDRESS:
            return ()
        return (f"[{self.host}]" if ":" in self.host and not self.host.startswith("[") else self.host,)


class Experiments(Section, frozen=True):
    """Reports of running experiments are updated each `look_s` s, for alarms; each is available at any time."""

    look_s: PositiveSeconds = 300.0
