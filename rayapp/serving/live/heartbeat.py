"""Signs of life of a replica's background threads: what follows something says that it still does."""

from __future__ import annotations

import time

SILENT_S = 60.0  # a look takes a second; a version's index some


class Heartbeat:
    """`beat()` after each look that succeeded. Written by one thread, read by others."""

    def __init__(self, name: str, silent_s: float = SILENT_S) -> None:
        self.name = name
        self.silent_s = silent_s
        self.at: float | None = None

    def beat(self) -> None:
        self.at = time.monotonic()

    def problem(self) -> str:
        """Empty while it beats, and before the first beat."""
        if self.at is None:
            return ""
        silent = time.monotonic() - self.at
        return f"{self.name} has not been followed for {silent:.0f} s" if silent > self.silent_s else ""
