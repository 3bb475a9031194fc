"""Notes judged with Ray Data: by the classifier, and what it leaves open with `ray.data.llm`."""

from __future__ import annotations

import time
from functools import cache
from typing import Any, cast

import msgspec
import pyarrow as pa
import ray.data

from rayapp.domain import encode
from rayapp.llm.base_model import model_folder
from rayapp.llm.batch import answered, in_small_blocks
from rayapp.llm.language_model import LanguageModel
from rayapp.llm.settings import LlmAccess
from rayapp.moderation.judge import Judge, Look, Note
from rayapp.moderation.llm_stage import strictest
from rayapp.section import ConfigError
from rayapp.validation import InvalidRecord, parse_item

Row = dict[str, Any]
LOOKED_AT_ONCE = 256
OPEN = pa.schema([("item_id", pa.string()), ("text", pa.string()), ("text_key", pa.string()), ("scores", pa.binary())])


def judge_of(llm: LlmAccess) -> Judge:
    """Policy, classifier, tokenizer and versions, without an engine. Raises UserError."""
    return _judge(_settings(llm))


@cache
def _judge(encoded: bytes) -> Judge:
    """One a worker process: what a note is asked and what the answer means; it asks nobody itself."""
    llm = msgspec.json.decode(encoded, type=LlmAccess)
    return Judge.of(LanguageModel.unasked(llm) if llm.settings.enabled else None, llm.settings)


def _settings(llm: LlmAccess) -> bytes:
    """What a worker process needs of it: nothing is asked there, so no key."""
    return msgspec.json.encode(msgspec.structs.replace(llm, key=""))


def note_of(row: Row) -> Row:
    """A row of any table as `item_id`, `text` and what is wrong with it, if anything."""
    named = {"item_id" if k == "id" and "item_id" not in row else k: v for k, v in row.items()}
    try:
        item = parse_item({**named, "title": named.get("title") or ""})
    except InvalidRecord as error:
        return {"item_id": str(row.get("item_id", row.get("id", ""))), "text": "", "text_key": "", "error": str(error)}
    return {"item_id": item.item_id, "text": item.text, "text_key": item.text_key, "error": ""}


def looked(notes: ray.data.Dataset, llm: LlmAccess) -> ray.data.Dataset:
    """`notes` as `note_of` makes them, to the same rows with `verdict` (JSON, empty for a bad row and for an open
    note) and `scores` (JSON, of an open note alone). Raises UserError."""
    settings = _settings(llm)

    def look(batch: dict[str, Any]) -> dict[str, Any]:
        judge = _judge(settings)
        rows = list(zip(batch["item_id"], batch["text"], batch["text_key"], strict=True))
        looks = judge.look([Note(*map(str, row)) for row in rows])
        sound = [not error for error in batch["error"]]
        closed = [
            encode(judge.verdict(x)) if good and not x.open else b"" for x, good in zip(looks, sound, strict=True)
        ]
        scores = [
            msgspec.json.encode(x.scores) if good and x.open else b"" for x, good in zip(looks, sound, strict=True)
        ]
        return {**batch, "verdict": closed, "scores": scores}

    return cast("Any", notes).map_batches(look, batch_size=LOOKED_AT_ONCE)


def concluded(rows: list[Row], llm: LlmAccess, *, engines: int, engine: dict[str, Any]) -> ray.data.Dataset:
    """Open rows of `looked` to rows with `said` (JSON: the language model's labels) and `begun` (s since the epoch when
    its batch went to the engine), one a window of the note: `parts` says of how many. `WholeNotes` puts them together.

    `engine`: keys of vLLM's EngineArgs over the usual ones. Raises UserError.
    """
    if llm.settings.prefills != "one":
        raise ConfigError("llm: prefills == each: the backlog asks one prefill a note; set it to one")
    settings = _settings(llm)
    answers = len(_judge(settings).policy.names)

    def moderation() -> Any:
        stage = _judge(settings).llm
        assert stage is not None  # no note is open without it
        return stage.moderation

    def windows(row: Row) -> list[Row]:
        found = moderation().windows(row["text"])
        return [{**row, "window": ids, "parts": len(found)} for ids in found]

    def ask(row: Row) -> Row:
        (question,) = moderation().questions
        prompt = question.prompt.fill([int(i) for i in row["window"]])
        allowed = list(question.answers)
        sampling = {"max_tokens": 1, "temperature": 1.0, "logprobs": answers, "allowed_token_ids": allowed}
        return {**row, "tokenized_prompt": prompt, "sampling_params": {**sampling, "detokenize": False}}

    def conclude(row: Row) -> Row:
        logprobs = {int(token): value["logprob"] for token, value in row["logprobs"][0].items()}
        said = msgspec.json.encode(moderation().labels([logprobs]))
        kept = {name: row[name] for name in OPEN.names}
        return {**kept, "said": said, "begun": time.time() - row["time_taken_llm"], "parts": int(row["parts"])}

    folder = model_folder(llm.settings.model, llm.cache)
    each = cast("Any", in_small_blocks([{name: row[name] for name in OPEN.names} for row in rows], OPEN))
    return answered(each.flat_map(windows), folder, ask, conclude, engines=engines, engine=engine)


class WholeNotes:
    """What was said of a note's windows becomes its verdict, once the last came; a killed job asks the rest anew."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.waiting: dict[tuple[str, str], list[Row]] = {}

    def add(self, rows: list[Row]) -> list[Row]:
        """`item_id`, `verdict`, `error` and `begun` of notes that are complete now, a row a note."""
        whole: list[Row] = []
        for row in rows:
            key = (row["item_id"], row["text_key"])
            parts = self.waiting.setdefault(key, [])
            parts.append(row)
            if len(parts) == row["parts"]:
                del self.waiting[key]
                whole.append(
                    {"verdict": self._verdict(parts), "begun": min(part["begun"] for part in parts)} | _of(row)
                )
        return whole

    def _verdict(self, parts: list[Row]) -> bytes:
        first = parts[0]
        scores: dict[str, float] = msgspec.json.decode(first["scores"])
        said: list[dict[str, float]] = [msgspec.json.decode(part["said"]) for part in parts]
        look = Look(Note(first["item_id"], first["text"], first["text_key"]), scores, open=True)
        return encode(self.judge.verdict(look, strictest(said)))


def _of(row: Row) -> Row:
    return {"item_id": row["item_id"], "error": ""}
