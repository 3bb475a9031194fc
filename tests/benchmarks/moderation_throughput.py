"""Notes judged a second: the engine alone, the backlog job, `/v1/moderate`, and the OpenAI endpoint, on the same notes one after another.

Needs a running system (`rayapp up`) for the last two; the engine alone and the job run first, each in a process of its
own, with the same model, prompts and settings. The system is idle meanwhile, but it is there: ratios count, not absolute figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from rayapp.cli.machine.paths import Layout
from rayapp.config import load_config
from rayapp.llm.language_model import LanguageModel
from rayapp.moderation.fast.stage import FastStage
from rayapp.moderation.label_sets import SETS, read_split
from rayapp.moderation.llm_stage import LlmStage
from rayapp.moderation.policy import load_policy
from rayapp.terminal import print_table

WARM = 32


def raw(config_file: str, texts: list[str]) -> float:
    """vLLM's own `LLM.generate`: one token, the same logprobs."""
    from rayapp.moderation.offline import offline_stage

    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1"  # as served: engine core and worker beside each other
    stage = offline_stage(load_config(config_file).llm_access, say=print)
    stage.labels(texts[:WARM])
    return _rate(lambda: stage.labels(texts), len(texts))


def fast_alone(texts: list[str]) -> float:
    """The classifier in this process."""
    stage = FastStage.open()
    stage.scores(texts[:WARM])
    return _rate(lambda: [stage.scores(texts[n : n + WARM]) for n in range(0, len(texts), WARM)], len(texts))


def moderate(url: str, texts: list[str], batch: int) -> float:
    """POST /v1/moderate, one request after another."""
    client = httpx.Client(base_url=url, timeout=300)

    def ask(part: list[str]) -> None:
        notes = [{"id": str(n), "text": text} for n, text in enumerate(part)]
        client.post("/v1/moderate", json={"notes": notes}).raise_for_status()

    ask(texts[:WARM])
    return _rate(lambda: [ask(texts[n : n + batch]) for n in range(0, len(texts), batch)], len(texts))


def endpoint(config_file: str, texts: list[str], connections: int) -> float:
    """The OpenAI endpoint, one prompt a request."""
    access = load_config(config_file).llm_access
    stage = LlmStage.of(LanguageModel.served(access), load_policy(access.settings.policy or None), access.settings)
    stage.labels(texts[:WARM])
    pool = ThreadPoolExecutor(connections)
    return _rate(lambda: list(pool.map(lambda text: stage.labels([text]), texts)), len(texts))


def backlog(config_file: str, texts: list[str]) -> float:
    """jobs.moderate_backlog in a process of its own, from its engine's first request to the last verdict."""
    with tempfile.TemporaryDirectory() as folder:
        notes, out = Path(folder) / "notes.parquet", Path(folder) / "result.json"
        pq.write_table(pa.table({"item_id": [str(n) for n in range(len(texts))], "title": texts}), notes)
        command = [sys.executable, "-m", "jobs.moderate_backlog", "--config", config_file, "--notes", str(notes)]
        subprocess.run([*command, "--verdicts", f"{folder}/verdicts", "--out", str(out)], check=True)
        return float(json.loads(out.read_text())["notes_a_second"])


def _rate(run: Any, notes: int) -> float:
    started = time.perf_counter()
    run()
    return notes / (time.perf_counter() - started)


@click.command()
@click.option("--state", default=".rayapp", type=click.Path(path_type=Path), help="Of the running system.")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder with moderation/.")
@click.option("--notes", default=512)
@click.option("--only", help="Internal: measure the engine alone and print its rate.")
def main(state: Path, data: Path, notes: int, only: str | None) -> None:
    """Notes judged a second, and the ratio to the engine alone."""
    config_file = str(Layout(state).config)
    texts = read_split(data, SETS[0], "dev")[0][:notes]
    if only:
        print(json.dumps({"raw": raw(config_file, texts)}))
        return
    command = [sys.executable, "-m", __spec__.name, "--only", "raw", "--state", str(state), "--data", str(data)]
    done = subprocess.run([*command, "--notes", str(notes)], capture_output=True, text=True, check=True)
    alone = next(json.loads(line)["raw"] for line in done.stdout.splitlines() if line.startswith('{"raw"'))
    config = load_config(config_file)
    url = f"http://127.0.0.1:{config.ports.http}"
    rates = {
        "engine alone (LLM.generate)": alone,
        "the classifier alone": fast_alone(texts),
        "jobs.moderate_backlog": backlog(config_file, texts),
        "/v1/moderate, batches of 32": moderate(url, texts, 32),
        "/v1/moderate, batches of 256": moderate(url, texts, 256),
        "/llm/v1/completions, 16 connections": endpoint(config_file, texts, 16),
    }
    rows = [[name, rate, rate / alone] for name, rate in rates.items()]
    print_table(f"{notes} notes", ["", "notes/s", "ratio"], rows)


if __name__ == "__main__":
    main()
