"""What a learner waits for now: each thing said once, and shown in readiness until it is over."""

from __future__ import annotations

from collections.abc import Callable


class Waiting:
    """Conditions that last, by name."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.texts: dict[str, str] = {}

    def on(self, what: str, text: str) -> None:
        """`what` has begun, or still lasts: then `text` is not said again, whatever has changed in it."""
        if what not in self.texts:
            self.say(text)
            self.texts[what] = text

    def over(self, *what: str) -> None:
        for name in what:
            self.texts.pop(name, None)

    @property
    def text(self) -> str | None:
        """What began first of that which lasts."""
        return next(iter(self.texts.values()), None)
