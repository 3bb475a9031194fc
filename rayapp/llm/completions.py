"""Asking the language model through its OpenAI-compatible endpoint: deadlines, retries, and a circuit breaker.

The official `openai` client, so the model may be this system's `/llm/v1` or
any other vLLM server. Prompts go as token ids, many a request: one prompt a
request costs half the engine's throughput. It blocks (callers have threads for
it) and may be shared by threads.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import openai

from rayapp.errors import Unavailable, UserError
from rayapp.loopback import is_loopback

PROMPTS_AT_ONCE = 64
REPETITION = 1.1  # without it a small model lists the same thing again and again (Keskar et al. 2019)
# Not found: the endpoint is there before the model is.
AWAY = (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError, openai.NotFoundError)


class ModelAway(Unavailable):
    """The model did not answer in time, or has failed so often that it is left alone for a while."""


class ModelRefused(UserError):
    """The endpoint will not answer such a request however often it is sent; the text is its own."""


class Breaker:
    """Open after `failures` in a row; then one trial every `wait_s` until one succeeds."""

    def __init__(self, failures: int = 3, wait_s: float = 5.0) -> None:
        self.failures = failures
        self.wait_s = wait_s
        self.in_a_row = 0
        self.not_before = 0.0

    def check(self, now: float) -> None:
        """Raises ModelAway while open."""
        if self.in_a_row >= self.failures:
            if now < self.not_before:
                raise ModelAway(f"the model failed {self.in_a_row} times in a row; it is tried again in a moment")
            self.not_before = now + self.wait_s  # one trial; the others go on waiting

    def record(self, ok: bool, now: float) -> None:
        self.in_a_row = 0 if ok else self.in_a_row + 1
        self.not_before = now + self.wait_s


class Completions:
    """One model of one endpoint."""

    def __init__(
        self, base_url: str, model: str, *, api_key: str = "", deadline_s: float = 30.0, tries: int = 3
    ) -> None:
        # Retries are ours: the deadline is over all of them.
        own = is_loopback(urlsplit(base_url).hostname or "")  # not through the environment's proxy
        http = openai.DefaultHttpxClient(trust_env=not own)
        self.client = openai.OpenAI(base_url=base_url, api_key=api_key or "none", max_retries=0, http_client=http)
        self.model = model
        self.deadline_s = deadline_s
        # Two parts under way: the engine has the next one when it is done with the one before.
        self.pool = ThreadPoolExecutor(2, thread_name_prefix="completions")
        self.tries = tries
        self.breaker = Breaker()

    def choose(self, prompts: Sequence[list[int]], allowed: Sequence[int]) -> list[dict[int, float]]:
        """For every prompt the logprob of each allowed next token, by token id: one prefill, no generation.

        Raises ModelAway.
        """
        parts = [prompts[n : n + PROMPTS_AT_ONCE] for n in range(0, len(prompts), PROMPTS_AT_ONCE)]
        extra = {"allowed_token_ids": list(allowed), "return_tokens_as_token_ids": True}

        def ask(part: Sequence[list[int]]) -> list[dict[int, float]]:
            prompt = [list(p) for p in part]
            answer = self._ask(prompt=prompt, max_tokens=1, temperature=1.0, logprobs=len(allowed), extra_body=extra)
            choices = sorted(answer.choices, key=lambda choice: choice.index)
            return [_by_id(choice.logprobs.top_logprobs[0]) for choice in choices]

        return [answer for part in self.pool.map(ask, parts) for answer in part]

    def write(self, prompt: list[int], form: str, max_tokens: int) -> str:
        """The likeliest text of the regular expression `form`; cut off where it needs more than `max_tokens`.

        Raises ModelAway.
        """
        extra = {"structured_outputs": {"regex": form}, "repetition_penalty": REPETITION}
        return str(self._ask(prompt=prompt, max_tokens=max_tokens, temperature=0.0, extra_body=extra).choices[0].text)

    def _ask(self, **request: Any) -> Any:
        deadline = time.monotonic() + self.deadline_s
        wait = 0.1
        for attempt in range(1, self.tries + 1):
            self.breaker.check(time.monotonic())
            left = deadline - time.monotonic()
            try:
                answer = self.client.completions.create(model=self.model, timeout=max(0.05, left), **request)
            except AWAY as error:
                self.breaker.record(False, time.monotonic())
                pause = wait * random.uniform(0.5, 1.5)
                if attempt == self.tries or time.monotonic() + pause > deadline:
                    raise ModelAway(f"the model does not answer: {error}"[:300]) from None
                time.sleep(pause)
                wait *= 3
            except openai.APIStatusError as error:
                raise ModelRefused(
                    f"the model's endpoint refuses the request ({error.message[:200]}); the policy's max_tokens and "
                    "categories must fit the engine's max_model_len and max_logprobs, and the API key must be its own"
                ) from None
            else:
                self.breaker.record(True, time.monotonic())
                return answer
        raise AssertionError("unreachable")

    def close(self) -> None:
        self.client.close()


def _by_id(logprobs: Mapping[str, float]) -> dict[int, float]:
    return {int(token.removeprefix("token_id:")): value for token, value in logprobs.items()}
