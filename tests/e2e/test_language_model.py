"""RedOne as clients meet it: the OpenAI protocol, moderation, and verdicts that hide notes."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from rayapp.moderation.policy import load_policy
from rayapp.stores.open import open_store
from tests.e2e.conftest import System
from tests.helpers import eventually
from tests.hostile_notes import hostile_notes

POLICY = load_policy()


@pytest.fixture(scope="module")
def system(system_with_llm: System) -> System:
    return system_with_llm


@pytest.fixture(scope="module")
def client(system: System) -> openai.OpenAI:
    url = f"http://127.0.0.1:{system.config.ports.http}/llm/v1"
    return openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=60)


def moderate(system: System, *texts: str) -> list[dict[str, Any]]:
    notes = [{"id": str(n), "text": text} for n, text in enumerate(texts)]
    answer = system.http.post("/v1/moderate", json={"notes": notes}, timeout=120)
    assert answer.status_code == 200, answer.text
    return answer.json()["verdicts"]


def found_by_search(system: System, item_id: str, query: str) -> bool:
    return item_id in [item["item_id"] for item in system.get("/v1/search", q=query, k=50)["items"]]


def test_the_official_client_works_unchanged(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["redone"]
    ask: Any = {"model": "redone", "messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 8}
    chat = client.chat.completions.create(**ask)
    assert chat.choices[0].message.content
    assert chat.usage is not None
    assert chat.usage.completion_tokens <= 8
    parts = [chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**ask, stream=True)]
    assert len(parts) > 2
    assert "".join(parts)
    text = client.completions.create(model="redone", prompt="The sea is", max_tokens=3, temperature=0)
    assert text.choices[0].text


def test_structured_outputs_hold_their_schema(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"intent": {"enum": ["find", "buy"]}, "word": {"type": "string", "maxLength": 12}},
        "required": ["intent", "word"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="redone",
        messages=[{"role": "user", "content": "cheap hiking boots"}],
        max_tokens=60,
        response_format={"type": "json_schema", "json_schema": {"name": "query", "schema": schema}},
    )
    found = json.loads(answer.choices[0].message.content or "")
    assert set(found) == {"intent", "word"}
    assert found["intent"] in ("find", "buy")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"model": "no-such-model"}, openai.NotFoundError),
        ({"messages": []}, openai.BadRequestError),
        ({"max_tokens": -1}, openai.BadRequestError),
        ({"messages": [{"role": "user", "content": "word " * 3000}]}, openai.BadRequestError),
    ],
)
def test_bad_requests_are_errors_in_openais_shape(
    client: openai.OpenAI, change: dict[str, Any], error: type[openai.APIStatusError]
) -> None:
    ask: Any = {"model": "redone", "messages": [{"role": "user", "content": "a"}], "max_tokens": 2, **change}
    with pytest.raises(error) as caught:
        client.chat.completions.create(**ask)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["message"]


@pytest.mark.parametrize(
    "change",
    [
        {"messages": None},
        {"n": 500},
        {"max_tokens": 100_000},
        {"bad_words": ["\ud800"]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"$ref": "#"}}}},
        {"structured_outputs": {"grammar": "root ::= root root"}},
        {"structured_outputs": {"regex": "((("}},
        {"temperature": -1},
        {"messages": [{"role": "user", "content": "word " * 3000}]},
    ],
)
def test_a_refusal_tells_nothing_of_the_inside(system: System, change: dict[str, Any]) -> None:
    ask = {"model": "redone", "messages": [{"role": "user", "content": "a"}], "max_tokens": 2, **change}
    body = json.dumps(ask).encode()
    answer = system.http.post("/llm/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] is None or isinstance(error["param"], str)
    assert not [word for word in ("ray.", "vllm", "Request ID", "Internal exception") if word in answer.text]


def test_no_page_of_another_site_reads_completions(system: System) -> None:
    ask = {"model": "redone", "prompt": "a", "max_tokens": 1}
    refused = system.http.post("/llm/v1/completions", json=ask, headers={"Origin": "http://evil.example"})
    assert refused.status_code == 403
    models = system.http.get("/llm/v1/models", headers={"Origin": "http://evil.example"})
    assert not [name for name in models.headers if name.startswith("access-control")]


def test_labels_are_a_distribution_whatever_the_note_says(system: System) -> None:
    verdicts = moderate(system, "A walk in the hills", "", "你好", *hostile_notes())
    assert [v["id"] for v in verdicts] == [str(n) for n in range(len(verdicts))]
    for found in verdicts:
        assert tuple(found["labels"]) == POLICY.names
        assert sum(found["labels"].values()) == pytest.approx(1, abs=1e-4)
        assert found["decision"] in ("allow", "limit", "block")
        assert found["policy_version"].startswith(POLICY.version)
        assert found["model_version"].startswith("fast-")
        assert "+RedOne-135M@" in found["model_version"]
        assert found["stage"] in ("fast", "llm")
    assert moderate(system, "A walk in the hills")[0]["labels"] == pytest.approx(verdicts[0]["labels"], abs=0.02)


@pytest.mark.parametrize(
    "notes", [[], [{"id": "a"}], [{"id": "", "text": "x"}], [{"id": "a", "text": "x"}] * 257, [{"id": 1, "text": 2}]]
)
def test_bad_notes_are_refused(system: System, notes: list[Any]) -> None:
    answer = system.http.post("/v1/moderate", json={"notes": notes})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]


def test_a_new_note_is_judged_and_a_person_overrules_the_model(system: System) -> None:
    system.put_note("judged-1", "zirconium espresso grinder review")
    first = eventually(lambda: system.verdict("judged-1"), 60, "a verdict")
    assert first["outcome"] == "judged"
    assert sum(first["labels"].values()) == pytest.approx(1, abs=1e-4)
    assert found_by_search(system, "judged-1", "zirconium espresso grinder")
    for decision, visible in (("block", False), ("allow", True), ("hold", False), ("allow", True), ("limit", False)):
        answer = system.http.put("/v1/items/judged-1/verdict", json={"decision": decision, "reason": "a test"})
        assert answer.status_code == 200, answer.text
        eventually(
            lambda visible=visible: found_by_search(system, "judged-1", "zirconium espresso grinder") is visible,
            30,
            f"{decision}: {'back in' if visible else 'gone from'} the results",
        )
    assert system.verdict("judged-1")["outcome"] == "person"  # type: ignore[index]
    audit = open_store(system.config.store_url).verdicts().audit("judged-1")
    assert [v.decision.value for v in audit] == ["block", "allow", "hold", "allow", "limit"]
    eventually(lambda: "rayapp_verdicts_total" in system.http.get("/metrics").text, 30, "verdicts in the metrics")
    bad = system.http.put("/v1/items/judged-1/verdict", json={"decision": "maybe", "reason": "x"})
    assert bad.status_code == 422
    assert system.http.put("/v1/items/nobody/verdict", json={"decision": "block", "reason": "x"}).status_code == 404
