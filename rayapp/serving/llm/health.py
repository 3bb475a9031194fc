"""Whether the language model answers: probed seldom, cached for a few seconds."""

from __future__ import annotations

import asyncio
import time

import httpx

from rayapp.config import Config
from rayapp.http_client import outer_async_client, own_async_client

REMEMBER_S = 3.0
AT_ONCE_S = 0.3  # how long a caller waits for a fresh answer
PATIENCE_S = 15.0  # a busy engine answers after the batches before


class LlmHealth:
    """One token of the model: the list of models would be answered without it."""

    def __init__(self, config: Config) -> None:
        self.llm = config.llm
        self.url = f"{config.llm_url}/completions"
        key = config.llm_access.key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        client = outer_async_client if config.llm.url else own_async_client
        self.client = client(timeout=PATIENCE_S, headers=headers)
        self.known, self.at = False, -REMEMBER_S
        self.asking: asyncio.Task[None] | None = None

    async def answers(self) -> bool:
        """The last known state; readiness must not wait for a busy engine."""
        if self.asking is None and time.monotonic() - self.at > REMEMBER_S:
            self.asking = asyncio.create_task(self._ask())
        if self.asking is not None:
            await asyncio.wait([self.asking], timeout=AT_ONCE_S)
        return self.known

    async def _ask(self) -> None:
        try:
            answer = await self.client.post(self.url, json={"model": self.llm.name, "prompt": "a", "max_tokens": 1})
            self.known = answer.status_code == 200
        except httpx.HTTPError:
            self.known = False
        finally:
            self.at, self.asking = time.monotonic(), None
