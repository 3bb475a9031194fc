"""Search queries read by the language model within a deadline; a late answer fills the cache for the next request."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable

import msgspec
import numpy as np

from rayapp.config import Config
from rayapp.errors import UserError
from rayapp.llm.completions import ModelAway
from rayapp.llm.language_model import LanguageModel
from rayapp.metrics import Metrics
from rayapp.search.understanding import FORM, MAX_TOKENS, QueryPrompt, Understanding, normal, understood
from rayapp.serving.llm.client import LlmClient
from rayapp.serving.pipeline.query.understood import Understood
from rayapp.stores.ports import KeyValueCache, StoreUnreachable

WAITING = 32  # queries under way at most; further ones are searched without the model
HOPELESS = 3.0  # deadlines: while answers usually take longer, no request waits for one
NEAR = 0.3  # least cosine of an expansion to the query: a small model also writes unrelated ones
Encode = Callable[[list[str]], Awaitable[np.ndarray]]  # unit vectors [N, D]
log = logging.getLogger("ray.serve")
_decoder = msgspec.json.Decoder(Understanding)


class QueryUnderstanding:
    """The cache is in the store, so every replica has it and a restart keeps it."""

    def __init__(
        self, config: Config, model: LlmClient, *, store: KeyValueCache, encode: Encode, metrics: Metrics
    ) -> None:
        """`encode`: expansions that are far from the query in meaning are dropped."""
        self.config = config
        self.model = model
        self.store = store
        self.encode = encode
        self.metrics = metrics
        self.under_way: dict[str, asyncio.Task[Understanding | None]] = {}
        self.usual_s = 0.0  # how long answers take, the last ones counting most
        self.prompt: QueryPrompt | None = None

    async def __call__(self, query: str) -> Understood:
        """Never raises because of the model, and takes no longer than the deadline."""
        if not self.config.llm.enabled:
            return Understood()
        known = await self._cached(query)
        if known is not None:
            return Understood(known, "redone", True)
        deadline = self.config.search.deadline_ms / 1000
        task = self.under_way.get(normal(query))
        if task is None:
            if len(self.under_way) >= WAITING:
                return Understood()
            task = asyncio.get_running_loop().create_task(self._answer(query))
            self.under_way[normal(query)] = task
            task.add_done_callback(lambda _: self.under_way.pop(normal(query), None))
        if self.usual_s > HOPELESS * deadline:
            return Understood()
        try:
            answer = await asyncio.wait_for(asyncio.shield(task), deadline)
        except TimeoutError:
            return Understood()
        return Understood(answer, "redone") if answer is not None else Understood()

    async def _answer(self, query: str) -> Understanding | None:
        started = time.monotonic()
        try:
            model = await self.model.open()
            self.prompt = self.prompt or QueryPrompt(model.tokenizer)
            answer = await self._cached(query)  # it could not be looked up before the model was open
            if answer is None:
                answer = await self._ask(model, self.prompt.ids(query), query)
                await self.store.put(self._key(query), msgspec.json.encode(answer), ttl_s=self.config.search.cache_s)
                took = time.monotonic() - started
                self.usual_s += 0.2 * (took - self.usual_s)
                self.metrics.observe("rayapp_stage_seconds", took, stage="understand")
        except ModelAway:
            return None
        except (UserError, OSError) as error:
            log.warning("query understanding: %s", error)
            return None
        return answer

    async def _ask(self, model: LanguageModel, prompt: list[int], query: str) -> Understanding:
        answer = understood(await self.model.run(model.answers.write, prompt, FORM, MAX_TOKENS), query)
        if not answer.expansions:
            return answer
        vectors = await self.encode([answer.spelling or query, *answer.expansions])
        cosines = (vectors[1:] @ vectors[0]).tolist()
        near = [text for text, cosine in zip(answer.expansions, cosines, strict=True) if cosine >= NEAR]
        return msgspec.structs.replace(answer, expansions=tuple(near))

    async def _cached(self, query: str) -> Understanding | None:
        if self.model.opened is None:
            return None
        try:
            raw = await self.store.get(self._key(query))
        except StoreUnreachable:
            return None  # the search itself will say that the store is away
        try:
            return _decoder.decode(raw) if raw else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # damaged, or of another release: the next answer replaces it

    def _key(self, query: str) -> str:
        assert self.model.opened is not None
        identity = f"{self.model.opened.version}\n{normal(query)}"
        return hashlib.sha256(identity.encode()).hexdigest()[:32]
