"""What is refused before the engine sees it, and that what is not goes on as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rayapp.serving.llm.openai_errors import BadRequest
from rayapp.serving.llm.openai_requests import Limits, checked

LIMITS = Limits("redone", 1024)
USER = {"role": "user", "content": "a"}


def chat(**more: Any) -> dict[str, Any]:
    return {"model": "redone", "messages": [USER], "max_tokens": 2, **more}


def text(**more: Any) -> dict[str, Any]:
    return {"model": "redone", "prompt": "a", "max_tokens": 2, **more}


def refused(body: Any, kind: str) -> BadRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(BadRequest) as error:
        checked(raw, kind, LIMITS)
    message = str(error.value)
    assert message
    assert "\n" not in message
    assert len(message) < 400
    assert error.value.field is None or isinstance(error.value.field, str)
    assert 400 <= error.value.status < 500
    return error.value


@pytest.mark.parametrize("kind", ["chat/completions", "completions", "embeddings", "score", "tokenize", "detokenize"])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"7", b'"text"', b"{", b"\xff", b"NaN", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1e400}',
        b'{"bad_words": ["\\ud800"]}', b'{"prompt": "\\udfff"}', b'{"\\ud800": 1}', b'{"user": ["\\ud800x"]}',
        b"[" * 100_000, b'{"a":' * 100_000, b'{"a": ' + b"[" * 21 + b"]" * 21 + b"}", b'{"a": ' + b"1" * 5000 + b"}",
        b'{"model": null, "a": ' + b'{"b":' * 21 + b"1" + b"}" * 22, b'{"model": 7}', b'{"model": ["redone"]}',
    ],
)  # fmt: skip
def test_bodies_that_no_call_takes(kind: str, body: bytes) -> None:
    refused(body, kind)


@pytest.mark.parametrize("model", ["gpt-4", "", "redone2", "../redone", "x" * 5000, "re done", "модель"])
def test_an_unknown_model_is_404_with_the_code_that_clients_know(model: str) -> None:
    error = refused(chat(model=model), "chat/completions")
    assert (error.status, error.field, error.code) == (404, "model", "model_not_found")


@pytest.mark.parametrize(
    "messages",
    [None, [], {}, "a", 7, [None], ["a"], [[]], [{}], [{"role": None}], [{"role": 7}], [{"role": ""}], [{"content": "a"}],
     [USER, {}], [{"role": "user", "content": 7}], [{"role": "user", "content": {}}], [{"role": "user", "content": ["a"]}]],
)  # fmt: skip
def test_messages_are_objects_with_a_role(messages: Any) -> None:
    assert (refused(chat(messages=messages), "chat/completions").field or "").startswith("messages")


@pytest.mark.parametrize(
    "prompt", [None, [], {}, 7, [None], [[]], [["a"]], ["a", 1], [1, "a"], [-1], [1.5], [2**40], [True]]
)
def test_a_prompt_is_text_or_tokens(prompt: Any) -> None:
    assert refused(text(prompt=prompt), "completions").field == "prompt"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 0), ("n", 17), ("n", 500), ("n", 1.5), ("n", "2"), ("n", True), ("n", []), ("best_of", 17), ("max_tokens", -1),
        ("max_tokens", 1025), ("max_tokens", 10**30), ("max_tokens", "5"), ("max_completion_tokens", 1025), ("min_tokens", 5000),
        ("stop", 7), ("stop", [7]), ("stop", ["a"] * 65), ("stop", {}), ("bad_words", [None]), ("bad_words", ["a"] * 1000),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["chat/completions", "completions"])
def test_counts_have_limits(kind: str, name: str, value: Any) -> None:
    body = chat(**{name: value}) if kind == "chat/completions" else text(**{name: value})
    assert refused(body, kind).field == name


def test_prompts_times_answers_have_a_limit() -> None:
    checked(json.dumps(text(prompt=["a"] * 64, n=16)).encode(), "completions", LIMITS)
    assert refused(text(prompt=["a"] * 65, n=16), "completions").field == "prompt"
    assert refused(text(prompt=["a"] * 1025), "completions").field == "prompt"


SELF: list[Any] = [
    {"$ref": "#"},
    {"type": "object", "properties": {"a": {"$ref": "#"}}},
    {"type": "array", "items": {"$ref": "#"}},
    {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    {"$defs": {"a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"},
    {"properties": {"a": {"properties": {"b": {"$ref": "#/properties/a"}}}}},
    {"$ref": "#/nowhere"},
    {"$ref": "https://evil.example/schema.json"},
    {"$ref": "file:///etc/passwd"},
    {"$ref": ""},
    {"$dynamicRef": "#a"},
    {"properties": {"a": {"$recursiveRef": "#"}}},
]


def with_schema(schema: Any) -> list[dict[str, Any]]:
    """Every way in which a request brings one."""
    return [
        chat(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}),
        chat(structured_outputs={"json": schema}),
        chat(structured_outputs={"json": json.dumps(schema)}),
        chat(guided_json=schema),
        chat(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}]),
    ]


@pytest.mark.parametrize("schema", SELF)
def test_a_schema_without_an_end_is_refused(schema: Any) -> None:
    for body in with_schema(schema):
        refused(body, "chat/completions")


def test_a_schema_in_text_is_as_deep_as_any() -> None:
    deep = json.dumps(chat(structured_outputs={"json": "[" * 30 + "]" * 30})).encode()
    refused(deep, "chat/completions")
    refused(json.dumps(chat(guided_json="{")).encode(), "chat/completions")


@pytest.mark.parametrize("name", ["grammar", "structural_tag"])
def test_grammars_that_fail_within_the_engine_are_not_served(name: str) -> None:
    error = refused(chat(structured_outputs={name: "root ::= root root"}), "chat/completions")
    assert error.field == f"structured_outputs.{name}"


@pytest.mark.parametrize("schema", [None, [], "x", 7, True])
def test_a_json_schema_is_an_object(schema: Any) -> None:
    for named in ({"name": "n", "schema": schema}, {"name": "n"}, None, []):
        body = chat(response_format={"type": "json_schema", "json_schema": named})
        assert refused(body, "chat/completions").field == "response_format.json_schema.schema"


def test_a_chain_of_references_is_followed_without_recursion() -> None:
    links = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(20_000)}
    for last, ends in (({"type": "null"}, True), ({"$ref": "#/$defs/d0"}, False)):
        schema = {"$defs": {**links, "d20000": last}, "$ref": "#/$defs/d0"}
        body = chat(structured_outputs={"json": schema})
        if ends:
            checked(json.dumps(body).encode(), "chat/completions", LIMITS)
        else:
            refused(body, "chat/completions")


@pytest.mark.parametrize(
    "body",
    [
        chat(),
        {"messages": [USER]},
        chat(model="redone:adapter"),
        chat(messages=[{"role": "user", "content": [{"type": "text", "text": "a"}]}, {"role": "assistant", "content": None}]),
        chat(n=16, max_tokens=1024, stop=["a"], temperature=0.5, seed=7, stream=True, logit_bias={"5": -100}),
        chat(messages=[{"role": "user", "content": "👍🏽 e\u0301 \u0000"}]),
        *with_schema({"$defs": {"a": {"type": "string"}}, "properties": {"x": {"$ref": "#/$defs/a"}, "y": {"$ref": "#/$defs/a"}}}),
        *with_schema({"properties": {"$ref": {"type": "string"}}, "required": ["$ref"]}),
        *with_schema({"definitions": {"a/b": {"type": "null"}}, "anyOf": [{"$ref": "#/definitions/a~1b"}, True]}),
    ],
)  # fmt: skip
def test_ordinary_requests_go_on_as_they_are(body: dict[str, Any]) -> None:
    assert json.loads(checked(json.dumps(body).encode(), "chat/completions", LIMITS)) == body


@pytest.mark.parametrize("prompt", ["a", ["a", "b"], [1, 2, 3], [[1, 2], [3]]])
def test_ordinary_prompts_go_on_as_they_are(prompt: Any) -> None:
    body = text(prompt=prompt, echo=True, logprobs=5)
    assert json.loads(checked(json.dumps(body).encode(), "completions", LIMITS)) == body


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda v: st.lists(v) | st.dictionaries(st.text(), v),
)
KEYS = [
    "model", "messages", "prompt", "n", "best_of", "max_tokens", "min_tokens", "stop", "bad_words", "response_format",
    "structured_outputs", "tools", "guided_json", "prompt_embeds",
]  # fmt: skip
GOOD = {"chat/completions": chat(), "completions": text(), "tokenize": text(), "embeddings": {"input": "a"}}


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES), st.sampled_from(sorted(GOOD)))
@example({"prompt": []}, "chat/completions")
@example({"prompt": [[]]}, "chat/completions")
@example({"messages": [], "prompt": None}, "completions")
def test_any_request_is_refused_or_goes_on(body: dict[str, Any], kind: str) -> None:
    """Around a good request: a bad key of another call must not go by a check that stops at the first."""
    try:
        checked(json.dumps({**GOOD[kind], **body}).encode(), kind, LIMITS)
    except BadRequest as error:
        assert str(error)
