"""An endpoint that fails in every way: retries, the deadline, the breaker, and answers in the prompts' order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from rayapp.llm.completions import PROMPTS_AT_ONCE, Breaker, Completions, ModelAway, ModelRefused


class Endpoint:
    """Answers with the length of each prompt as logprob of token 7; `failures` are status codes to give first."""

    def __init__(self) -> None:
        self.failures: list[int] = []
        self.requests: list[dict[str, Any]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                endpoint.requests.append(body)
                status = endpoint.failures.pop(0) if endpoint.failures else 200
                answer = endpoint.answer(body) if status == 200 else {"error": {"message": "no", "code": status}}
                payload = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def answer(body: dict[str, Any]) -> dict[str, Any]:
        choices = [
            {
                "index": n,
                "text": " A",
                "finish_reason": "length",
                "logprobs": {"top_logprobs": [{"token_id:7": -float(len(prompt)), "token_id:9": -1.0}]},
            }
            for n, prompt in enumerate(body["prompt"])
        ]
        return {"id": "x", "object": "text_completion", "created": 1, "model": body["model"], "choices": choices[::-1]}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.server.shutdown()


def test_many_prompts_go_in_parts_and_come_back_in_order(endpoint: Endpoint) -> None:
    prompts = [[1] * (n + 1) for n in range(PROMPTS_AT_ONCE + 5)]
    found = Completions(endpoint.url, "m").choose(prompts, [7, 9])
    assert [answer[7] for answer in found] == [-float(len(p)) for p in prompts]
    # Two parts are under way at once: which one arrives first is chance.
    assert sorted(len(r["prompt"]) for r in endpoint.requests) == [5, PROMPTS_AT_ONCE]
    assert all(r["allowed_token_ids"] == [7, 9] and r["max_tokens"] == 1 for r in endpoint.requests)


def test_a_failure_is_tried_again(endpoint: Endpoint) -> None:
    endpoint.failures = [503, 404]
    assert Completions(endpoint.url, "m").choose([[1]], [7])[0][7] == -1.0
    assert len(endpoint.requests) == 3


def test_it_gives_up_and_then_leaves_the_model_alone(endpoint: Endpoint) -> None:
    completions = Completions(endpoint.url, "m")
    endpoint.failures = [503] * 3
    with pytest.raises(ModelAway, match="does not answer"):
        completions.choose([[1]], [7])
    with pytest.raises(ModelAway, match="3 times in a row"):
        completions.choose([[1]], [7])
    assert len(endpoint.requests) == 3  # the breaker asked nobody
    completions.breaker.not_before = 0.0
    assert completions.choose([[1]], [7])[0][7] == -1.0
    assert completions.breaker.in_a_row == 0


def test_a_request_that_is_refused_is_not_sent_again(endpoint: Endpoint) -> None:
    endpoint.failures = [400]
    completions = Completions(endpoint.url, "m")
    with pytest.raises(ModelRefused, match="max_tokens"):
        completions.choose([[1]], [7])
    assert len(endpoint.requests) == 1
    assert completions.breaker.in_a_row == 0


def test_nobody_listens() -> None:
    with pytest.raises(ModelAway):
        Completions("http://127.0.0.1:9/v1", "m", deadline_s=0.5).choose([[1]], [7])


def test_the_breaker_lets_one_trial_through() -> None:
    breaker = Breaker(failures=2, wait_s=5)
    breaker.check(0)
    breaker.record(False, 0)
    breaker.record(False, 0)
    with pytest.raises(ModelAway):
        breaker.check(4.9)
    breaker.check(5.0)
    with pytest.raises(ModelAway):
        breaker.check(5.1)  # the trial is under way
    breaker.record(True, 6)
    breaker.check(6)
