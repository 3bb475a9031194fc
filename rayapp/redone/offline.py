"""The engine in this process, without a server: what batch jobs ask, and what throughput is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class OfflineChooser:
    """`choose` as `Completions` has it, on a vLLM engine of its own."""

    def __init__(self, folder: str, **engine: Any) -> None:
        """`engine`: keys of vLLM's EngineArgs over the defaults of serve_configs/laptop.yaml."""
        from vllm import LLM

        settings = {
            "dtype": "bfloat16",
            "max_model_len": 1024,
            "max_num_seqs": 64,
            "enforce_eager": True,
            "enable_prefix_caching": True,
            "block_size": 32,
            "logprobs_mode": "processed_logprobs",
            "max_logprobs": 26,
            "disable_log_stats": True,
            **engine,
        }
        self.llm = LLM(model=folder, **settings)

    def choose(self, prompts: Sequence[list[int]], allowed: Sequence[int]) -> list[dict[int, float]]:
        """For every prompt the logprob of each allowed next token, by token id."""
        from vllm import SamplingParams

        sampling = SamplingParams(max_tokens=1, temperature=1.0, logprobs=len(allowed), allowed_token_ids=list(allowed))
        outputs = self.llm.generate([{"prompt_token_ids": list(p)} for p in prompts], sampling, use_tqdm=False)
        return [{token: value.logprob for token, value in output.outputs[0].logprobs[0].items()} for output in outputs]
