"""Every id has one address, and every address one id."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import example, given
from hypothesis import strategies as st

from rayapp.serving.middleware.segments import keep_segments, segment_text

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.text("%/25Ff.", min_size=1)


def path_of(*segments: str) -> tuple[str, int | None]:
    """What routes see of a path, and the status of a refusal."""
    raw = "/" + "/".join(quote(segment, safe="") for segment in segments)
    scope = {"raw_path": raw.encode(), "path": "/" + "/".join(segments)}
    refusal = keep_segments(scope)
    return scope["path"], refusal and refusal.status


@given(IDS, IDS)
@example("a/b", "%2F")
@example("%252F", "/%2F/")
@example("..", "%")
@example("a\0b", "a\nb")
def test_what_was_sent_as_a_segment_comes_back_as_it_was(first: str, second: str) -> None:
    path, refused = path_of("items", first, second, "similar")
    assert refused is None
    _, items, *between, similar = path.split("/")
    assert (items, similar) == ("items", "similar")
    assert [segment_text(segment) for segment in between] == [first, second]


@given(st.lists(IDS, min_size=2, max_size=2, unique=True))
def test_two_ids_are_two_addresses(ids: list[str]) -> None:
    assert path_of(ids[0]) != path_of(ids[1])


def test_bytes_that_are_no_text_are_no_id() -> None:
    for raw in (b"/a/%ff", b"/a/%ED%A0%80", b"/%C3/%A9"):
        refusal = keep_segments({"raw_path": raw, "path": "?"})
        assert refusal is not None
        assert refusal.status == 400


def test_a_server_that_gives_no_raw_path_is_taken_as_it_is() -> None:
    scope = {"path": "/v1/items/a"}
    assert keep_segments(scope) is None
    assert scope["path"] == "/v1/items/a"
