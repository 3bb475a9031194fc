"""A language model's answers, its likeliest options and its perplexity on texts; cached on disk, so runs resume."""

from __future__ import annotations

import hashlib
import json
import time
from collections import UserDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rayapp.cluster import arrow_tables
from rayapp.llm.base_model import model_folder
from rayapp.llm.batch import Row, answered, in_small_blocks
from rayapp.llm.model_version import model_version
from rayapp.llm.settings import LlmAccess
from rayapp.moderation.moderation import Moderation
from rayapp.moderation.policy import NONE, load_policy
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.registry import task_of
from rayapp.redone.training.chat import ChatTokens

QUESTION_TOKENS = 384
TEXT_TOKENS = 512
LONG_CONTEXT, LONGER = 8192, 4  # tokens; a factor on a task's longest answer
FRAME = 256  # tokens for instruction and chat template around a question
PROGRESS_EVERY_S = 15.0


class Responses(NamedTuple):
    """In the order of the questionnaire.

    `generated`: the answer to each example. `likeliest`: each example's option of the highest mean log-probability per
    token, None where options were not scored. `labels`: the policy's categories with their probabilities, for each
    note. `losses`: (nats, tokens) of each text's answer.
    """

    generated: list[str]
    likeliest: list[str | None]
    labels: list[dict[str, float]]
    losses: list[tuple[float, int]]


class Questionnaire(NamedTuple):
    """`examples` are answered, `notes` moderated; of `texts` the answers are scored.

    `options`: whether the examples' options are scored too. `long`: questions may be as long as the model takes (up to
    LONG_CONTEXT) and answers longer, instead of the limits of the project's own sets.
    """

    examples: Sequence[Example]
    notes: Sequence[str]
    texts: Sequence[Example]
    options: bool = True
    long: bool = False


class ModelRequest(NamedTuple):
    """`key` identifies the content, so that equal requests are sent once; `of` is the index in the questionnaire's
    part that `kind` names. `kind` is part of the key, and so of the cache's format."""

    key: str
    kind: Literal["said", "option", "text", "label"]
    of: int
    ids: list[int]
    start: int  # where in the prompt the scored part begins
    sampling: str  # JSON


def ask_model(
    model: str, questionnaire: Questionnaire, *, llm: LlmAccess, cache: Path, say: Callable[[str], None]
) -> tuple[Responses, str]:
    """(responses, model version). `cache`: a folder with one file per model version, of which responses are reused.

    Raises UserError.
    """
    from transformers import AutoConfig, AutoTokenizer

    folder = model_folder(model, llm.cache)
    version = model_version(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    moderation = Moderation(tokenizer, load_policy(llm.settings.policy or None))
    context = 0
    if questionnaire.long:
        context = min(
            LONG_CONTEXT, getattr(AutoConfig.from_pretrained(folder), "max_position_embeddings", LONG_CONTEXT)
        )
    requests = list(_requests(questionnaire, ChatTokens(tokenizer), moderation, context))
    file = cache / f"{version.replace('/', '-')}.jsonl"
    results = _cached(file)
    waiting = list({r.key: r for r in requests if r.key not in results}.values())
    say(f"{version}: {len(requests):,} requests, {len(waiting):,} not in the cache")
    if waiting:
        engine = {"max_model_len": context} if context else {}
        for line in _generate(waiting, folder, file, results, engine=engine):
            say(line)
    return _collected(questionnaire, requests, results, moderation), version


def _requests(
    questionnaire: Questionnaire, chat: ChatTokens, moderation: Moderation, context: int
) -> Iterator[ModelRequest]:
    def request(kind: Any, of: int, prompt: list[int], start: int = 0, **sampling: Any) -> ModelRequest:
        text = json.dumps(sampling)
        key = hashlib.blake2b(json.dumps([kind, prompt, start, text]).encode(), digest_size=12).hexdigest()
        return ModelRequest(key, kind, of, prompt, start, text)

    scored = {"max_tokens": 1, "prompt_logprobs": 0}
    for n, example in enumerate(questionnaire.examples):
        longest = task_of(example.task).max_tokens * (LONGER if context else 1)
        prompt = chat.prompt(example, context - longest - FRAME if context else QUESTION_TOKENS)
        yield request("said", n, prompt, max_tokens=longest, temperature=0.0)
        for option in example.options if questionnaire.options else ():
            yield request("option", n, [*prompt, *chat.answer(option)], len(prompt), **scored)
    for n, text in enumerate(questionnaire.texts):
        prompt = chat.prompt(text, QUESTION_TOKENS)
        yield request("text", n, [*prompt, *chat.answer(text.answer)[:TEXT_TOKENS]], len(prompt), **scored)
    (question,) = moderation.questions
    letters = {"max_tokens": 1, "logprobs": len(question.answers), "allowed_token_ids": list(question.answers)}
    for n, note in enumerate(questionnaire.notes):
        for (prompt,) in moderation.prompts(note):
            yield request("label", n, prompt, **letters)


def _generate(
    waiting: list[ModelRequest], folder: str, cache: Path, results: dict[str, Any], *, engine: dict[str, Any]
) -> Iterator[str]:
    """Run the requests, adding to `results` and to the cache as they finish; lines of progress."""

    def ask(row: Row) -> Row:
        # Not a dict: Arrow would give every row of a block the keys of all its rows, as floats.
        sampling = UserDict({"temperature": 1.0, **json.loads(row["sampling"])})
        return {**row, "tokenized_prompt": [int(i) for i in row["ids"]], "sampling_params": sampling}

    def conclude(row: Row) -> Row:
        if row["kind"] == "said":
            result: Any = row["generated_text"]
        elif row["kind"] == "label":
            result = {str(token): value["logprob"] for token, value in row["logprobs"][0].items()}
        else:
            ids = row["ids"]
            logprobs = [_logprob(row["prompt_logprobs"][n], ids[n]) for n in range(row["start"], len(ids))]
            result = [sum(logprobs), len(logprobs)]
        return {"key": row["key"], "result": json.dumps(result)}

    cache.parent.mkdir(parents=True, exist_ok=True)
    started = last_line = time.monotonic()
    count = 0
    with cache.open("a") as file:
        dataset = answered(in_small_blocks([r._asdict() for r in waiting]), folder, ask, conclude, engine=engine)
        for batch in arrow_tables(dataset.iter_batches(batch_size=64, batch_format="pyarrow")):
            for row in batch.to_pylist():
                results[row["key"]] = json.loads(row["result"])
                file.write(json.dumps([row["key"], results[row["key"]]]) + "\n")
                count += 1
            file.flush()
            if time.monotonic() - last_line > PROGRESS_EVERY_S or count == len(waiting):
                last_line = time.monotonic()
                yield f"  {count:,} of {len(waiting):,}, {count / (last_line - started):.1f} per second"


def _logprob(entry: Mapping[Any, Any], token: int) -> float:
    value = entry.get(token, entry.get(str(token)))
    assert value is not None, f"no log-probability of token {token}"
    return float(value["logprob"])


def _cached(cache: Path) -> dict[str, Any]:
    """Results by request key."""
    results: dict[str, Any] = {}
    if cache.is_file():
        for line in cache.read_text().splitlines():
            try:
                key, value = json.loads(line)
            except ValueError:  # the last line of a run that was killed
                continue
            results[key] = value
    return results


def _collected(
    questionnaire: Questionnaire, requests: Sequence[ModelRequest], results: Mapping[str, Any], moderation: Moderation
) -> Responses:
    generated, losses = [""] * len(questionnaire.examples), [(0.0, 0)] * len(questionnaire.texts)
    labels: list[dict[str, float]] = [{}] * len(questionnaire.notes)
    options: dict[int, list[float]] = {}
    for request in requests:
        result = results[request.key]
        if request.kind == "said":
            generated[request.of] = result
        elif request.kind == "option":
            options.setdefault(request.of, []).append(result[0] / result[1])
        elif request.kind == "text":
            losses[request.of] = (-result[0], result[1])
        else:
            window = moderation.labels([{int(token): value for token, value in result.items()}])
            labels[request.of] = min(filter(None, (labels[request.of], window)), key=lambda found: found[NONE])
    likeliest = [
        example.options[max(range(len(options[n])), key=options[n].__getitem__)] if n in options else None
        for n, example in enumerate(questionnaire.examples)
    ]
    return Responses(generated, likeliest, labels, losses)
