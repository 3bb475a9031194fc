"""Does the language model answer? Asked seldom, remembered for a few seconds."""

from __future__ import annotations

import time

import httpx

from rayapp.config import Config

REMEMBER_S = 3.0
PATIENCE_S = 5.0  # a busy engine answers after the batches before


class LlmHealth:
    """One token of the model: the list of models would be answered without it."""

    def __init__(self, config: Config) -> None:
        self.llm = config.llm
        self.url = f"{config.llm_url}/completions"
        headers = {"Authorization": f"Bearer {config.api_keys[0]}"} if config.api_keys else {}
        self.client = httpx.AsyncClient(timeout=PATIENCE_S, headers=headers)
        self.known: tuple[float, bool] = (0.0, False)

    async def answers(self) -> bool:
        if not self.llm.enabled:
            return False
        at, ok = self.known
        if time.monotonic() - at < REMEMBER_S:
            return ok
        try:
            answer = await self.client.post(self.url, json={"model": self.llm.name, "prompt": "a", "max_tokens": 1})
            ok = answer.status_code == 200
        except httpx.HTTPError:
            ok = False
        self.known = (time.monotonic(), ok)
        return ok
