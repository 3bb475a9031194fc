"""Notes judged by `ray.data.llm`: prompts made by Ray Data, a vLLM engine per `engines`, verdicts out."""

from __future__ import annotations

import math
import time
from functools import cache
from typing import Any, cast

import msgspec
import ray.data

from rayapp.domain import Verdict, encode
from rayapp.llm.base_model import model_folder
from rayapp.llm.batch import answered
from rayapp.llm.language_model import LanguageModel
from rayapp.llm.settings import LlmAccess
from rayapp.moderation.judge import Judge, Note, strictest
from rayapp.section import ConfigError
from rayapp.validation import InvalidRecord, parse_item

_decoder = msgspec.json.Decoder(Verdict)


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
    `begun` (s since the epoch when its batch went to the engine), one a window of the note: `parts` says of how many.
    `WholeNotes` puts them together.

    `engine`: keys of vLLM's EngineArgs over the usual ones. Raises UserError.
    """
    if llm.settings.prefills != "one":
        raise ConfigError("llm: prefills == each: the backlog asks one prefill a note; set it to one")
    settings = _settings(llm)
    answers = len(_judge(settings).policy.names)

    def windows(row: dict[str, Any]) -> list[dict[str, Any]]:
        found = _judge(settings).moderation.windows(row["text"])
        return [{**row, "window": ids, "parts": len(found)} for ids in found]

    def ask(row: dict[str, Any]) -> dict[str, Any]:
        (question,) = _judge(settings).moderation.questions
        prompt = question.prompt.fill([int(i) for i in row["window"]])
        allowed = list(question.answers)
        sampling = {"max_tokens": 1, "temperature": 1.0, "logprobs": answers, "allowed_token_ids": allowed}
        return {**row, "tokenized_prompt": prompt, "sampling_params": {**sampling, "detokenize": False}}

    def conclude(row: dict[str, Any]) -> dict[str, Any]:
        judge = _judge(settings)
        if row["error"]:
            return {"item_id": row["item_id"], "verdict": b"", "error": row["error"], "begun": math.inf, "parts": 1}
        logprobs = {int(token): value["logprob"] for token, value in row["logprobs"][0].items()}
        note = Note(row["item_id"], row["text"], row["text_key"])
        verdict = judge.verdict(note, judge.moderation.labels([logprobs]))
        begun = time.time() - row["time_taken_llm"]
        return {
            "item_id": row["item_id"],
            "verdict": encode(verdict),
            "error": "",
            "begun": begun,
            "parts": int(row["parts"]),
        }

    folder = model_folder(llm.settings.model, llm.cache)
    each = cast("Any", notes).flat_map(windows)
    return answered(each, folder, ask, conclude, engines=engines, engine=engine)


class WholeNotes:
    """Verdicts of windows become one of the note, once the last of them came; a killed job judges the rest anew."""

    def __init__(self) -> None:
        self.waiting: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def add(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows of notes that are complete now, a row a note."""
        whole: list[dict[str, Any]] = []
        for row in rows:
            if row["parts"] == 1:
                whole.append(row)
                continue
            key = (row["item_id"], _decoder.decode(row["verdict"]).text_key)
            parts = self.waiting.setdefault(key, [])
            parts.append(row)
            if len(parts) == row["parts"]:
                del self.waiting[key]
                verdict = strictest([_decoder.decode(part["verdict"]) for part in parts])
                whole.append({**row, "verdict": encode(verdict), "begun": min(part["begun"] for part in parts)})
        return whole
