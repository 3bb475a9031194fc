"""What makes the engine alone faster: one change at a time to how 512 notes are put to it, each in a process of its own.

    python -m tests.benchmarks.engine_variants --data sns

`LLM.generate` with one token and the logprobs of the allowed answers, as moderation asks. Nothing else may run meanwhile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import click

from rayapp.config import Config, load_config
from rayapp.moderation.label_sets import SETS, read_split
from rayapp.terminal import print_table

WARM = 64


class Variant(NamedTuple):
    """`cores` for all of its processes; `threads` of OpenMP; `engine` over the usual settings; a policy of few words."""

    name: str
    cores: int = 1
    threads: int = 1
    engine: Mapping[str, Any] = MappingProxyType({})
    terse: bool = False


VARIANTS = (
    Variant("as served: one core, one thread"),
    Variant("two cores, one thread", cores=2),
    Variant("two cores, two threads", cores=2, threads=2),
    Variant("one core, cache in blocks of 128 tokens", engine={"block_size": 128}),
    Variant("one core, no prefix caching", engine={"enable_prefix_caching": False}),
    Variant("one core, categories by their names alone", terse=True),
    Variant("one core, compiled", engine={"enforce_eager": False}),
)


def rate(variant: Variant, config: Config, texts: list[str]) -> tuple[float, float]:
    """(notes a second, tokens a note)."""
    import msgspec

    from rayapp.llm.language_model import LanguageModel
    from rayapp.moderation.llm_stage import LlmStage
    from rayapp.moderation.moderation import Moderation
    from rayapp.moderation.policy import load_policy

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-variant.cores :])
    os.environ["OMP_NUM_THREADS"] = str(variant.threads)
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1"  # as served: engine core and worker beside each other
    model = LanguageModel.offline(config.llm_access, **variant.engine)
    policy = load_policy(config.llm.policy or None)
    if variant.terse:
        short = {n: msgspec.structs.replace(c, description=n) for n, c in policy.categories.items()}
        policy = msgspec.structs.replace(policy, categories=short)
    stage = LlmStage(Moderation(model.tokenizer, policy), model.answers, model.version)
    stage.labels(texts[:WARM])
    measured = texts[WARM:]
    started = time.perf_counter()
    stage.labels(measured)
    took = time.perf_counter() - started
    tokens = sum(len(p) for text in measured for w in stage.moderation.prompts(text) for p in w) / len(measured)
    return len(measured) / took, tokens


@click.command(help=__doc__)
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML; without it the defaults apply.")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder with moderation/.")
@click.option("--notes", default=512)
@click.option("--only", type=int, hidden=True)
def main(config_file: Path | None, data: Path, notes: int, only: int | None) -> None:
    texts = read_split(data, SETS[0], "dev")[0][: notes + WARM]
    if only is not None:
        print(json.dumps({"rate": rate(VARIANTS[only], load_config(config_file), texts)}))
        return
    rows: list[list[Any]] = []
    for number, variant in enumerate(VARIANTS):
        command = [sys.executable, "-m", "tests.benchmarks.engine_variants", "--data", str(data), "--notes", str(notes)]
        command += ["--config", str(config_file)] if config_file else []
        done = subprocess.run([*command, "--only", str(number)], capture_output=True, text=True)
        found = [json.loads(line)["rate"] for line in done.stdout.splitlines() if line.startswith('{"rate"')]
        if not found:
            click.echo(f"{variant.name}: {done.stderr.strip().splitlines()[-1]}")
            continue
        rows.append(
            [variant.name, round(found[0][1]), found[0][0], found[0][0] / (rows[0][2] if rows else found[0][0])]
        )
        click.echo(f"{variant.name}: {found[0][0]:.1f}")
    print_table(f"{notes} notes", ["", "tokens a note", "notes/s", "ratio"], rows)


if __name__ == "__main__":
    main()
