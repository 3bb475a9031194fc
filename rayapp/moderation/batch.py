"""Notes judged by `ray.data.llm`: prompts made by Ray Data, a vLLM engine per `engines`, verdicts out."""

from __future__ import annotations

import math
import time
from functools import cache
from typing import Any

import msgspec
import ray.data

from rayapp.domain import encode
from rayapp.llm.base_model import model_folder
from rayapp.llm.batch import answered
from rayapp.llm.language_model import LanguageModel
from rayapp.llm.settings import LlmAccess
from rayapp.moderation.judge import Judge, Note
from rayapp.section import ConfigError
from rayapp.validation import InvalidRecord, parse_item


def judge_of(llm: LlmAccess) -> Judge:
    """Policy, tokenizer and versions, without an engine. Raises UserError."""
    return _judge(_settings(llm))


@cache
def _judge(encoded: bytes) -> Judge:
    """One a worker process: what a note is asked and what the answer means; it asks nobody itself."""
    llm = msgspec.json.decode(encoded, type=LlmAccess)
    return Judge.of(LanguageModel.unasked(llm), llm.settings)


def _settings(llm: LlmAccess) -> bytes:
    """What a worker process needs of it: nothing is asked there, so no key."""
    return msgspec.json.encode(msgspec.structs.replace(llm, key=""))


def note_of(row: dict[str, Any]) -> dict[str, Any]:
    """A row of any table as `item_id`, `text` and what is wrong with it, if anything."""
    named = {"item_id" if k == "id" and "item_id" not in row else k: v for k, v in row.items()}
    try:
        item = parse_item({**named, "title": named.get("title") or ""})
    except InvalidRecord as error:
        return {"item_id": str(row.get("item_id", row.get("id", ""))), "text": "", "text_key": "", "error": str(error)}
    return {"item_id": item.item_id, "text": item.text, "text_key": item.text_key, "error": ""}


def judged(notes: ray.data.Dataset, llm: LlmAccess, *, engines: int, engine: dict[str, Any]) -> ray.data.Dataset:
    """`notes` as `note_of` makes them, to rows of `item_id`, `verdict` (JSON, empty for a bad row), `error` and
    `begun` (s since the epoch when its batch went to the engine).

    `engine`: keys of vLLM's EngineArgs over the usual ones. Raises UserError.
    """
    if llm.settings.prefills != "one":
        raise ConfigError("llm: prefills == each: the backlog asks one prefill a note; set it to one")
    settings = _settings(llm)
    answers = len(_judge(settings).policy.names)

    def ask(row: dict[str, Any]) -> dict[str, Any]:
        (question,), (prompt,) = _judge(settings).moderation.questions, _judge(settings).moderation.prompts(row["text"])
        allowed = list(question.answers)
        sampling = {"max_tokens": 1, "temperature": 1.0, "logprobs": answers, "allowed_token_ids": allowed}
        return {**row, "tokenized_prompt": prompt, "sampling_params": {**sampling, "detokenize": False}}

    def conclude(row: dict[str, Any]) -> dict[str, Any]:
        judge = _judge(settings)
        if row["error"]:
            return {"item_id": row["item_id"], "verdict": b"", "error": row["error"], "begun": math.inf}
        logprobs = {int(token): value["logprob"] for token, value in row["logprobs"][0].items()}
        note = Note(row["item_id"], row["text"], row["text_key"])
        verdict = judge.verdict(note, judge.moderation.labels([logprobs]))
        begun = time.time() - row["time_taken_llm"]
        return {"item_id": row["item_id"], "verdict": encode(verdict), "error": "", "begun": begun}

    folder = model_folder(llm.settings.model, llm.cache)
    return answered(notes, folder, ask, conclude, engines=engines, engine=engine)
