"""RedOne as the features see it: a tokenizer, a version, and something that answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from rayapp.cores import usable_cores
from rayapp.llm.base_model import model_folder
from rayapp.llm.completions import Completions
from rayapp.llm.model_version import model_version
from rayapp.llm.settings import LlmAccess


class Chooser(Protocol):
    """See Completions.choose."""

    def choose(self, prompts: Sequence[list[int]], allowed: Sequence[int]) -> list[dict[int, float]]: ...


class Answers(Chooser, Protocol):
    """See Completions.write."""

    def write(self, prompt: list[int], form: str, max_tokens: int) -> str: ...


class LanguageModel(NamedTuple):
    """`version` names the weights: what it said is asked again of another version."""

    tokenizer: Any
    version: str
    answers: Answers

    @classmethod
    def served(cls, llm: LlmAccess, *, deadline_s: float | None = None, tries: int = 3) -> LanguageModel:
        """The configured model at its endpoint. `deadline_s`: of one answer. Raises UserError."""
        settings = llm.settings
        endpoint = Completions(
            llm.url, settings.name, api_key=llm.key, deadline_s=deadline_s or settings.deadline_s, tries=tries
        )
        folder = model_folder(settings.model, llm.cache)
        return cls(_tokenizer(folder), model_version(folder), endpoint)

    @classmethod
    def unasked(cls, llm: LlmAccess) -> LanguageModel:
        """The configured model where something else asks, and prompts and the meaning of answers are wanted."""
        from rayapp.llm.offline import NoAnswers

        folder = model_folder(llm.settings.model, llm.cache)
        return cls(_tokenizer(folder), model_version(folder), NoAnswers())

    @classmethod
    def offline(cls, llm: LlmAccess, model: str | None = None, **engine: Any) -> LanguageModel:
        """The configured model or another, on an engine in this process.

        `engine`: keys of vLLM's EngineArgs over the usual ones. Raises UserError, ImportError.
        """
        folder = model_folder(model or llm.settings.model, llm.cache)
        prepare_engine()
        from rayapp.llm.offline import OfflineEngine

        return cls(_tokenizer(folder), model_version(folder), OfflineEngine(folder, **engine))


def openmp() -> str:
    """The OpenMP that comes with vLLM's CPU build, a fifth faster than the system's; empty where there is none."""
    library = Path(sys.prefix) / "lib" / "libiomp5.so"
    return str(library) if library.is_file() else ""


def engine_environment() -> dict[str, str]:
    """What a vLLM engine outside Serve is started with."""
    # Engine core and worker wait for each other in busy loops: on few cores a thread more makes both slower.
    threads = str(max(1, usable_cores() - 1))
    names = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "WARNING", "OMP_NUM_THREADS": threads}
    return {**names, "LD_PRELOAD": openmp()} if openmp() else names


def prepare_engine() -> None:
    """vLLM reads its environment when it is imported; its OpenMP must be there before anything else's.

    All of the engine is in this process: an engine core of its own outlives one that is killed, with all its memory.
    """
    for name, value in {**engine_environment(), "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}.items():
        os.environ.setdefault(name, value)


def _tokenizer(folder: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)
