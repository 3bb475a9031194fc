"""Ids in paths: a slash that was sent as %2F stays inside its segment, so that every id has an address."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from starlette.types import Scope

from rayapp.serving.middleware.refusal import Refusal


def keep_segments(scope: Scope) -> Refusal | None:
    """Write the path so that `/` stands between segments only; `segment_text` gives back what a segment meant.

    Servers decode %2F before routes are looked at, and two ids become one; the path as it was sent tells them apart.
    400 for one that is not UTF-8: replacing what cannot be read would be another id.
    """
    raw: bytes = scope.get("raw_path") or b""
    if b"%" not in raw:
        return None
    try:
        parts = [unquote_to_bytes(part).decode() for part in raw.split(b"/")]
    except UnicodeDecodeError:
        return Refusal(400, "the path is not UTF-8; percent-encode the UTF-8 bytes of ids")
    scope["path"] = "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)
    return None


def segment_text(segment: str) -> str:
    """The text of a segment that `keep_segments` wrote."""
    return segment.replace("%2F", "/").replace("%25", "%")
