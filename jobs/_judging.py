"""A judge on an engine of its own, for jobs that judge many notes: no server, and progress as it goes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from jobs._job import JobError, console
from rayapp.config import Config
from rayapp.redone.base_model import model_folder, model_version
from rayapp.redone.judge import Judge
from rayapp.redone.moderation import Moderation
from rayapp.redone.policy import load_policy

AT_ONCE = 512
TELL_S = 15.0


def offline_judge(config: Config, model: str | None = None) -> Judge:
    """Of the configured model or another one, its labels uncalibrated. Raises ConfigError."""
    from transformers import AutoTokenizer

    folder = model_folder(model or config.llm.model, config.state_path / "llm")
    if not Path(folder).is_dir():
        console.print(f"{folder} is taken from the Hugging Face hub")
    _prepare_engine()
    try:
        from rayapp.redone.offline import OfflineChooser

        moderation = Moderation(
            AutoTokenizer.from_pretrained(folder), load_policy(config.llm.policy or None), config.llm.prefills
        )
        chooser = OfflineChooser(folder)
    except ImportError as error:
        raise JobError(f"vLLM is not installed ({error}); install rayapp with its cpu or gpu extra") from None
    return Judge(moderation, chooser, model_version(folder))


def judge_labels(judge: Judge, texts: list[str]) -> list[dict[str, float]]:
    """Labels of all texts, uncalibrated, with progress."""
    found: list[dict[str, float]] = []
    started = told = time.monotonic()
    for first in range(0, len(texts), AT_ONCE):
        found += judge.labels(texts[first : first + AT_ONCE])
        now = time.monotonic()
        if now - told > TELL_S or len(found) == len(texts):
            told = now
            console.print(f"  {len(found):,} of {len(texts):,} notes, {len(found) / (now - started):.1f} a second")
    return found


def _prepare_engine() -> None:
    """vLLM reads its environment when it is imported; its OpenMP must be there before anything else's."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    # Engine core and worker wait for each other in busy loops: on few cores a thread more makes both slower.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))
    openmp = Path(sys.prefix) / "lib" / "libiomp5.so"
    if openmp.is_file():
        os.environ.setdefault("LD_PRELOAD", str(openmp))  # for the engine's worker process
