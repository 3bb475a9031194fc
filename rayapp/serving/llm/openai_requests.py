"""What a request to the language model must be before the engine's own checks, which let some of this through to
where it fails the request, or the engine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from rayapp.parsing import MAX_DEPTH, Unreadable, json_object
from rayapp.serving.llm.openai_errors import BadRequest, UnknownModel, openai_error
from rayapp.serving.llm.request_schemas import check_schemas, deeper_than
from rayapp.serving.middleware.bodies import replay

log = logging.getLogger("ray.serve")
MAX_BODY = 1024 * 1024
MAX_CHOICES = 16  # answers to one prompt
MAX_ANSWERS = 1024  # prompts of a request, times the answers to each
MAX_STOPS = 64
TOKENS = ("max_tokens", "max_completion_tokens", "min_tokens")


class Limits(NamedTuple):
    """`model`: the name that is served; adapters are NAME:ADAPTER. `context`: tokens of prompt and answer, None where
    the engine takes what its model says."""

    model: str
    context: int | None


class OpenAiRequests:
    """ASGI middleware inside the guard, which has read the body: what is not refused goes on as it was read here."""

    def __init__(self, app: ASGIApp, *, limits: Limits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = _kind(scope)
        if kind is None:
            await self.app(scope, receive, send)
            return
        try:
            body = checked((await receive()).get("body", b""), kind, self.limits)
        except BadRequest as error:
            await _refuse(error, scope, receive, send)
            return
        except Exception:  # a check that a request broke: it is the request's fault
            log.exception("a check failed on a request to %s", kind)
            await _refuse(BadRequest("the request cannot be read; check its values"), scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        scope["headers"] = [*headers, (b"content-length", str(len(body)).encode())]
        await self.app(scope, replay(body, receive), send)


async def _refuse(error: BadRequest, scope: Scope, receive: Receive, send: Send) -> None:
    await openai_error(error.status, str(error), param=error.field, code=error.code)(scope, receive, send)


def checked(body: bytes, kind: str, limits: Limits) -> bytes:
    """The request as JSON without anything doubtful in it. `kind`: the end of the path. Raises BadRequest."""
    try:
        given = json_object(body, what="the body")
    except Unreadable as error:
        raise BadRequest(str(error)) from None
    if deeper_than(given, MAX_DEPTH):
        raise BadRequest(f"the body is nested more than {MAX_DEPTH} levels deep; flatten it")
    _model(given, limits)
    if check := CHECKS.get(kind):
        check(given)
        _answers(given, limits)
        check_schemas(given)
    return msgspec.json.encode(given)


def _kind(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    path = scope["path"].rstrip("/")
    return next((end for end in PATHS if path.endswith(f"/{end}")), None)


def _model(given: dict[str, Any], limits: Limits) -> None:
    model = given.get("model")
    if model is None:
        return  # the only one
    if not isinstance(model, str):
        raise BadRequest(f"model must be text; use {limits.model}", "model")
    if model.partition(":")[0] != limits.model:
        named = ascii(model if len(model) <= 100 else f"{model[:100]}…")
        raise UnknownModel(f"model {named} is not served here; use {limits.model}", "model")


def _chat(given: dict[str, Any]) -> None:
    messages = given.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest("messages must be a list of at least one message", "messages")
    for n, message in enumerate(messages):
        where = f"messages.{n}"
        if not isinstance(message, dict) or not isinstance(message.get("role"), str) or not message["role"]:
            raise BadRequest(f"{where} must be an object with a role, such as user", where)
        content = message.get("content")
        if content is not None and not isinstance(content, str | list):
            raise BadRequest(f"{where}.content must be text or a list of parts", f"{where}.content")
        for part in content if isinstance(content, list) else ():
            if not isinstance(part, dict):
                raise BadRequest(f"{where}.content must be text or a list of parts", f"{where}.content")


def _completion(given: dict[str, Any]) -> None:
    prompt = given.get("prompt")
    if isinstance(prompt, str) or (prompt is None and given.get("prompt_embeds") is not None):
        return
    if isinstance(prompt, list) and prompt:
        lists = [one if isinstance(one, list) else [one] for one in prompt]
        if all(isinstance(one, str) for one in prompt) or all(one and all(map(_token, one)) for one in lists):
            return
    raise BadRequest("prompt must be text, a list of texts, or token numbers", "prompt")


def _token(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _answers(given: dict[str, Any], limits: Limits) -> None:
    n = _whole(given, "n", 1, MAX_CHOICES) or 1
    _whole(given, "best_of", 1, MAX_CHOICES)
    prompt = given.get("prompt")
    prompts = len(prompt) if isinstance(prompt, list) and not all(map(_token, prompt)) else 1
    if prompts * n > MAX_ANSWERS:
        raise BadRequest(
            f"{prompts} prompts with {n} answers each, at most {MAX_ANSWERS}; send them in parts", "prompt"
        )
    for name in TOKENS:
        _whole(given, name, 0, limits.context)
    for name in ("stop", "bad_words"):
        words = given.get(name)
        if words is None or isinstance(words, str):
            continue
        if not isinstance(words, list) or len(words) > MAX_STOPS or not all(isinstance(word, str) for word in words):
            raise BadRequest(f"{name} must be text or a list of at most {MAX_STOPS} texts", name)


def _whole(given: dict[str, Any], name: str, low: int, high: int | None) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if type(value) is not int or value < low or (high is not None and value > high):
        limit = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise BadRequest(f"{name} must be a whole number {limit}", name)
    return value


CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {"chat/completions": _chat, "completions": _completion}
PATHS = (*CHECKS, "embeddings", "score", "tokenize", "detokenize")
