"""An event counts once a day, whatever was saved, forgotten or dropped in between."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from rayapp.redrec.online.recent_ids import RecentIds

KEEP = 240
steps = st.lists(
    st.tuples(st.sampled_from(["event", "event", "event", "forget", "save"]), *[st.sampled_from("abc")] * 2),
    max_size=60,
)


@settings(deadline=None)
@given(steps, st.lists(st.integers(0, 60), min_size=60, max_size=60))
def test_it_says_what_a_plain_dictionary_says(steps: list[tuple[str, str, str]], gaps: list[int]) -> None:
    ids, plain, now = RecentIds(KEEP), {}, 0
    with TemporaryDirectory() as folder:
        for (kind, user, event), gap in zip(steps, gaps, strict=False):
            now += gap
            if kind == "save":
                ids.save(Path(folder))
                ids = RecentIds.load(Path(folder), KEEP)
            elif kind == "forget":
                ids.forget(user)
                plain = {key: at for key, at in plain.items() if key[0] != user}
            else:
                expected = (user, event) in plain and now - plain[user, event] <= KEEP
                assert ids.known(user, event, now) is expected
                if not expected:
                    plain[user, event] = now
            ids.expire(now)


def test_what_is_not_known_any_more_is_dropped() -> None:
    ids = RecentIds(KEEP)
    for n in range(1_000):
        assert not ids.known("u", str(n), n)
        ids.expire(n)
    assert KEEP <= len(ids) <= KEEP + 2 * ids.bucket_ms


def test_a_users_id_is_not_anothers() -> None:
    ids = RecentIds(KEEP)
    assert not ids.known("u", "1", 0)
    assert not ids.known("v", "1", 0)
    assert not ids.known("u1", "", 0)
    assert ids.known("u", "1", KEEP)
