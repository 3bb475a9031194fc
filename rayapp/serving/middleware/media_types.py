"""What a body may be sent as. A form, or text of any kind, is what a page of another site can send unasked, so a body
names its format."""

from __future__ import annotations

from starlette.types import Scope

from rayapp.serving.middleware.refusal import Refusal

JSON = "application/json"
YAML = ("application/yaml", "application/x-yaml", "text/yaml")
PLAIN = "text/plain"  # what navigator.sendBeacon sends a string as


def media_refusal(scope: Scope, more: tuple[str, ...] = ()) -> Refusal | None:
    """415 unless the body is JSON by its Content-Type, or one of `more`. Clients that are no browsers may name none."""
    given = [value for name, value in scope["headers"] if name == b"content-type"]
    kind = given[0].decode("latin-1").partition(";")[0].strip().lower() if given else ""
    if not kind and b"origin" not in dict(scope["headers"]):
        return None
    if kind == JSON or (kind.startswith("application/") and kind.endswith("+json")) or kind in more:
        return None
    return Refusal(415, f"Content-Type is {kind[:100]!a}; send {' or '.join((JSON, *more))}")


def as_json(scope: Scope) -> None:
    """What was let in is read as JSON from here on, whatever it was sent as."""
    others = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    scope["headers"] = [*others, (b"content-type", JSON.encode())]
