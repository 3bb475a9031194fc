"""An error of another process reaches a user as the error itself."""

from __future__ import annotations

import pytest
from ray.exceptions import RayTaskError

from rayapp.serving.live.scene import VersionGone
from rayapp.serving.remote_call import unwrapped


async def fails(error: Exception) -> None:
    raise error


async def test_the_message_is_the_errors_own_and_not_a_traceback() -> None:
    remote = RayTaskError("nearest", "Traceback (most recent call last): ...", VersionGone("version 7 is not held"))
    with pytest.raises(VersionGone) as caught:
        await unwrapped(fails(remote.as_instanceof_cause()))
    assert str(caught.value) == "version 7 is not held"


async def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError):
        await unwrapped(fails(ZeroDivisionError("x")))
