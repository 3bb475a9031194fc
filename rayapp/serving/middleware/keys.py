"""API keys: who may call. One check for every application of the system."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from rayapp.serving.middleware.refusal import Refusal


class ApiKeys:
    def __init__(self, keys: tuple[str, ...]) -> None:
        """Without keys every call is let in: the system then listens on the local machine only."""
        self.keys = [b"Bearer " + key.encode() for key in keys]

    def refusal(self, headers: Mapping[bytes, bytes]) -> Refusal | None:
        """401 where no key was sent, 403 where it is not a valid one. `headers` in lower case, as ASGI has them."""
        if not self.keys:
            return None
        given = headers.get(b"authorization", b"")
        if not given:
            return Refusal(401, "an API key is needed; send Authorization: Bearer KEY")
        if not any(hmac.compare_digest(given, key) for key in self.keys):
            return Refusal(403, "the API key is not one of RAYAPP_API_KEYS")
        return None
