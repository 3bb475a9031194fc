"""The one base of every error that a user can mend.

A user is whoever runs a command, submits a job or calls the HTTP API. Each
message is one line that says what is wrong, the value, the limit and the
remedy. Children stand beside what raises them; the front ends (command line,
jobs, HTTP) know this base and its four kinds, and nothing of the children.
"""

from __future__ import annotations

from typing import ClassVar


class UserError(Exception):
    """What was given cannot be used.

    `code` is stable and for programs: they branch on it, never on the message.
    `field` names the part of the input at fault, where there is one.
    """

    code: ClassVar[str] = "invalid"
    field: str | None = None


class NotFound(UserError):
    """What was named does not exist."""

    code: ClassVar[str] = "not_found"


class Conflict(UserError):
    """What is asked for does not go with what is there already."""

    code: ClassVar[str] = "conflict"


class Unavailable(UserError):
    """Something that is needed does not answer now; the same request may succeed in `retry_after` seconds."""

    code: ClassVar[str] = "unavailable"
    retry_after: ClassVar[int] = 2


def one_line(error: Exception, most: int = 300) -> str:
    """What an error of others says, whose messages have many lines, in at most so many characters."""
    return " ".join(str(error).split())[:most] or type(error).__name__
