"""The language model of a replica's search features, opened when the first request wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from rayapp.config import Config
from rayapp.llm.language_model import LanguageModel

AT_ONCE = 4  # requests under way: each is a thread that waits
GENERATE_S = 20.0  # an answer later than that is given up


class LlmClient:
    """Opening reads the tokenizer: seconds that no request waits for."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="redone")
        self.opened: LanguageModel | None = None
        self.opening = asyncio.Lock()

    async def open(self) -> LanguageModel:
        """Raises UserError, OSError (a hub that is away)."""
        async with self.opening:
            opened = self.opened or await self.run(
                partial(LanguageModel.served, self.config.llm_access, deadline_s=GENERATE_S, tries=1)
            )
            self.opened = opened
            return opened

    async def run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """A blocking call to the model, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, call, *arguments)
