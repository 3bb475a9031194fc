from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.secrets import hidden_in_url, hidden_settings, write_private


@given(password=st.text(min_size=1).map(lambda text: "pw" + quote(text, safe="")), user=st.sampled_from(["", "me"]))
def test_no_password_of_a_url_is_left(password: str, user: str) -> None:
    shown = hidden_in_url(f"no store answers at redis://{user}:{password}@host:6379/0 within 5 s (and http://a/b)")
    assert password not in shown
    assert "redis://***@host:6379/0 within 5 s (and http://a/b)" in shown


@pytest.mark.parametrize(
    "url",
    [
        "redis://h?password=s3cret", "redis://h:1/0?db=2&password=s3cret", "rediss://:s3@s3cret@h", "redis://:s3/s3cret@h:1",
        "redis://me:s3/s3cret@h", "redis://:s3?s3cret@h", "https://h/v1?api_key=s3cret&k=5", "http://h/v1?access_token=s3cret",
        "redis://:s3#s3cret@h/0",
    ],
)  # fmt: skip
def test_nor_of_one_that_is_written_badly_or_in_the_query(url: str) -> None:
    shown = hidden_in_url(f"no store answers at {url} within 5 s")
    assert "s3" not in shown
    assert shown.endswith("within 5 s")


@pytest.mark.parametrize("url", ["redis://host/0", "http://host/v1?email=a@b", "unix:///a@b", ""])
def test_what_holds_no_password_stays(url: str) -> None:
    assert hidden_in_url(url) == url


@pytest.mark.parametrize(
    "name",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config.token",
        "ssl.keystore.password",
        "sasl.oauthbearer.assertion.private.key.pem",
        "ssl.certificate.pem",
    ],
)
def test_settings_that_hold_secrets_are_hidden(name: str) -> None:
    assert hidden_settings({name: "s3cret", "sasl.username": "me"}) == {name: "***", "sasl.username": "me"}


def test_a_private_file_is_never_open(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("old")
    file.chmod(0o666)
    before = os.umask(0)
    try:
        write_private(file, b"new")
    finally:
        os.umask(before)
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]
