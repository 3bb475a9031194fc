"""Prompts answered by vLLM engines of a job's own, through `ray.data.llm`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import ray
import ray.data
import torch

from rayapp.llm.language_model import engine_environment
from rayapp.llm.offline import ENGINE

GPU_ENGINE = {"enforce_eager": False, "max_num_seqs": 256, "max_num_batched_tokens": 8192, "block_size": 16}
BATCH = 64
Row = dict[str, Any]


def answered(
    rows: ray.data.Dataset,
    folder: str,
    ask: Callable[[Row], Row],
    conclude: Callable[[Row], Row],
    *,
    engines: int = 1,
    engine: dict[str, Any] | None = None,
) -> ray.data.Dataset:
    """`ask` gives a row `tokenized_prompt` and `sampling_params`; `conclude` sees vLLM's answer and the row.

    `folder`: the model's; `engine`: keys of vLLM's EngineArgs over the usual ones; `engines`: side by side, a GPU each.
    """
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    on_gpu = torch.cuda.is_available() or ray.cluster_resources().get("GPU", 0) > 0
    off = {"enabled": False}
    processor = build_processor(
        vLLMEngineProcessorConfig(
            model_source=folder,
            engine_kwargs={**ENGINE, **(GPU_ENGINE if on_gpu else {}), **(engine or {})},
            placement_group_config={"bundles": [{"GPU": 1, "CPU": 1} if on_gpu else {"CPU": 1}]},
            runtime_env={"env_vars": {} if on_gpu else engine_environment()},
            concurrency=engines,
            batch_size=BATCH,
            chat_template_stage=off,
            tokenize_stage=off,
            detokenize_stage=off,
            prepare_multimodal_stage=off,
            log_engine_metrics=False,
        ),
        preprocess=ask,
        postprocess=conclude,
    )
    return processor(rows)


def in_small_blocks(rows: list[Row], schema: pa.Schema | None = None) -> ray.data.Dataset:
    """What a task answered comes out when its whole block is answered: blocks of one batch."""
    starts = range(0, max(1, len(rows)), BATCH)
    return ray.data.from_arrow([pa.Table.from_pylist(rows[n : n + BATCH], schema) for n in starts])
