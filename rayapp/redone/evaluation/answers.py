"""What a model says to questions, which answer it finds likeliest, and how well it knows texts; kept, so a run goes on."""

from __future__ import annotations

import hashlib
import json
import time
from collections import UserDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rayapp.llm.base_model import model_folder
from rayapp.llm.batch import Row, answered, in_small_blocks
from rayapp.llm.model_version import model_version
from rayapp.llm.settings import LlmAccess
from rayapp.moderation.moderation import Moderation
from rayapp.moderation.policy import load_policy
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.registry import task_of
from rayapp.redone.training.chat import ChatTokens
from rayapp.terminal import console

QUESTION_TOKENS = 384
TEXT_TOKENS = 512
LONG_CONTEXT, LONGER = 8192, 4  # tokens; times a task's longest answer
FRAME = 256  # tokens for instruction and chat template around a question
TELL_S = 15.0


class Answers(NamedTuple):
    """In the order of what was asked. `likeliest`: the option of the highest mean logprob a token, None where none
    was scored; `labels`: of every note the policy's categories; `losses`: (nats, tokens) of every text's answer."""

    said: list[str]
    likeliest: list[str | None]
    labels: list[dict[str, float]]
    losses: list[tuple[float, int]]


class Asked(NamedTuple):
    """`examples` are answered, `notes` moderated; of `texts` the answers are scored. `options`: whether those of the
    examples are scored too. `long`: questions are as long as the model takes (up to LONG_CONTEXT) and answers
    longer, not cut to what the project's own sets need."""

    examples: Sequence[Example]
    notes: Sequence[str]
    texts: Sequence[Example]
    options: bool = True
    long: bool = False


class Request(NamedTuple):
    """`key` names what is asked, so that equal requests are one; `of` is the place in `kind` of Asked."""

    key: str
    kind: Literal["said", "option", "text", "label"]
    of: int
    ids: list[int]
    start: int  # where in the prompt the scored part begins
    sampling: str  # JSON


def ask_model(model: str, asked: Asked, *, llm: LlmAccess, kept_below: Path) -> tuple[Answers, str]:
    """(answers, model version). `kept_below`: the folder of answers, one file a model version. What was answered before a kill is not asked again. Raises UserError."""
    from transformers import AutoConfig, AutoTokenizer

    folder = model_folder(model, llm.cache)
    version = model_version(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    moderation = Moderation(tokenizer, load_policy(llm.settings.policy or None))
    context = 0
    if asked.long:
        context = min(
            LONG_CONTEXT, getattr(AutoConfig.from_pretrained(folder), "max_position_embeddings", LONG_CONTEXT)
        )
    requests = list(_requests(asked, ChatTokens(tokenizer), moderation, context))
    kept = kept_below / f"{version.replace('/', '-')}.jsonl"
    known = _known(kept)
    waiting = list({r.key: r for r in requests if r.key not in known}.values())
    console.print(f"{version}: {len(requests):,} requests, {len(waiting):,} not answered yet")
    if waiting:
        _answer(waiting, folder, kept, known, {"max_model_len": context} if context else {})
    return _collected(asked, requests, known, moderation), version


def _requests(asked: Asked, chat: ChatTokens, moderation: Moderation, context: int) -> Iterator[Request]:
    def request(kind: Any, of: int, prompt: list[int], start: int = 0, **sampling: Any) -> Request:
        text = json.dumps(sampling)
        key = hashlib.blake2b(json.dumps([kind, prompt, start, text]).encode(), digest_size=12).hexdigest()
        return Request(key, kind, of, prompt, start, text)

    scored = {"max_tokens": 1, "prompt_logprobs": 0}
    for n, example in enumerate(asked.examples):
        longest = task_of(example.task).max_tokens * (LONGER if context else 1)
        prompt = chat.prompt(example, context - longest - FRAME if context else QUESTION_TOKENS)
        yield request("said", n, prompt, max_tokens=longest, temperature=0.0)
        for option in example.options if asked.options else ():
            yield request("option", n, [*prompt, *chat.answer(option)], len(prompt), **scored)
    for n, text in enumerate(asked.texts):
        prompt = chat.prompt(text, QUESTION_TOKENS)
        yield request("text", n, [*prompt, *chat.answer(text.answer)[:TEXT_TOKENS]], len(prompt), **scored)
    (question,) = moderation.questions
    letters = {"max_tokens": 1, "logprobs": len(question.answers), "allowed_token_ids": list(question.answers)}
    for n, note in enumerate(asked.notes):
        yield request("label", n, moderation.prompts(note)[0], **letters)


def _answer(waiting: list[Request], folder: str, kept: Path, known: dict[str, Any], engine: dict[str, Any]) -> None:
    def ask(row: Row) -> Row:
        # Not a dict: Arrow would give every row of a block the keys of all its rows, as floats.
        sampling = UserDict({"temperature": 1.0, **json.loads(row["sampling"])})
        return {**row, "tokenized_prompt": [int(i) for i in row["ids"]], "sampling_params": sampling}

    def conclude(row: Row) -> Row:
        if row["kind"] == "said":
            found: Any = row["generated_text"]
        elif row["kind"] == "label":
            found = {str(token): value["logprob"] for token, value in row["logprobs"][0].items()}
        else:
            ids = row["ids"]
            each = [_logprob(row["prompt_logprobs"][n], ids[n]) for n in range(row["start"], len(ids))]
            found = [sum(each), len(each)]
        return {"key": row["key"], "found": json.dumps(found)}

    kept.parent.mkdir(parents=True, exist_ok=True)
    started = told = time.monotonic()
    count = 0
    with kept.open("a") as file:
        for batch in answered(
            in_small_blocks([r._asdict() for r in waiting]), folder, ask, conclude, engine=engine
        ).iter_batches(batch_size=64, batch_format="pyarrow"):
            for row in batch.to_pylist():
                known[row["key"]] = json.loads(row["found"])
                file.write(json.dumps([row["key"], known[row["key"]]]) + "\n")
                count += 1
            file.flush()
            if time.monotonic() - told > TELL_S or count == len(waiting):
                told = time.monotonic()
                console.print(f"  {count:,} of {len(waiting):,}, {count / (told - started):.1f} a second")


def _logprob(entry: Mapping[Any, Any], token: int) -> float:
    value = entry.get(token, entry.get(str(token)))
    return float(value["logprob"])


def _known(kept: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if kept.is_file():
        for line in kept.read_text().splitlines():
            try:
                key, value = json.loads(line)
            except ValueError:  # the last line of a run that was killed
                continue
            found[key] = value
    return found


def _collected(asked: Asked, requests: Sequence[Request], known: Mapping[str, Any], moderation: Moderation) -> Answers:
    said, losses = [""] * len(asked.examples), [(0.0, 0)] * len(asked.texts)
    labels: list[dict[str, float]] = [{}] * len(asked.notes)
    options: dict[int, list[float]] = {}
    for request in requests:
        found = known[request.key]
        if request.kind == "said":
            said[request.of] = found
        elif request.kind == "option":
            options.setdefault(request.of, []).append(found[0] / found[1])
        elif request.kind == "text":
            losses[request.of] = (-found[0], found[1])
        else:
            labels[request.of] = moderation.labels([{int(token): value for token, value in found.items()}])
    likeliest = [
        example.options[max(range(len(options[n])), key=options[n].__getitem__)] if n in options else None
        for n, example in enumerate(asked.examples)
    ]
    return Answers(said, likeliest, labels, losses)
