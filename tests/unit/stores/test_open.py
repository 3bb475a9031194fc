from __future__ import annotations

import pytest

from rayapp.stores.open import StoreUrlError, open_async_store, open_store

GOOD = ["redis://h", "redis://h:1/0", "redis://:p@h:6379/15", "rediss://me:p@h", "unix:///tmp/s", "redis://[::1]:1/0"]
BAD = [
    "redis://h:99999999/0", "redis://h:port", "redis://h:-1", "redis://[::1", "redis://h?nope=1",
    "redis://h?db=two", "redis://h?socket_timeout=soon", "unix:///s?nope=1", "http://h", "h:6379", "", "://",
]  # fmt: skip


@pytest.mark.parametrize("url", GOOD)
def test_nothing_is_connected_to_until_something_is_asked(url: str) -> None:
    open_store(url)
    open_async_store(url)


@pytest.mark.parametrize("url", BAD)
def test_a_url_that_no_connection_can_be_made_from_is_refused_in_one_line(url: str) -> None:
    for opened in (open_store, open_async_store):
        with pytest.raises(StoreUrlError) as refused:
            opened(url)
        assert "\n" not in str(refused.value)
        assert "store.url" in str(refused.value)


def test_the_refusal_shows_no_password() -> None:
    with pytest.raises(StoreUrlError) as refused:
        open_store("redis://:s3cret@h:99999999")
    assert "s3cret" not in str(refused.value)
