"""The engine in this process, without a server: what batch jobs ask, and what throughput is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rayapp.llm.completions import REPETITION

# As in serve_configs/laptop.yaml, which a test holds this against.
ENGINE = {
    "dtype": "bfloat16",
    "max_model_len": 1024,
    "max_num_seqs": 64,
    "max_num_batched_tokens": 2048,
    "enforce_eager": True,
    "enable_prefix_caching": True,
    "block_size": 32,
    "logprobs_mode": "processed_logprobs",
    "max_logprobs": 26,
    "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
}


class OfflineEngine:
    """What `Completions` offers, on a vLLM engine of its own."""

    def __init__(self, folder: str, **engine: Any) -> None:
        """`engine`: keys of vLLM's EngineArgs over those of ENGINE."""
        from vllm import LLM

        self.llm = LLM(model=folder, **{**ENGINE, "disable_log_stats": True, **engine})

    def choose(self, prompts: Sequence[list[int]], allowed: Sequence[int]) -> list[dict[int, float]]:
        """For every prompt the logprob of each allowed next token, by token id."""
        from vllm import SamplingParams

        sampling = SamplingParams(max_tokens=1, temperature=1.0, logprobs=len(allowed), allowed_token_ids=list(allowed))
        outputs = self.llm.generate([{"prompt_token_ids": list(p)} for p in prompts], sampling, use_tqdm=False)
        answers = []
        for output in outputs:
            logprobs = output.outputs[0].logprobs
            assert logprobs is not None, "they were asked for"
            answers.append({token: value.logprob for token, value in logprobs[0].items()})
        return answers

    def write(self, prompt: list[int], form: str, max_tokens: int) -> str:
        """The likeliest text of the regular expression `form`; cut off where it needs more than `max_tokens`."""
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        sampling = SamplingParams(
            max_tokens=max_tokens,
            temperature=0.0,
            repetition_penalty=REPETITION,
            structured_outputs=StructuredOutputsParams(regex=form),
        )
        outputs = self.llm.generate([{"prompt_token_ids": list(prompt)}], sampling, use_tqdm=False)
        return str(outputs[0].outputs[0].text)


class NoAnswers:
    """Where only the prompts and the meaning of answers are wanted, and something else asks."""

    def choose(self, prompts: Sequence[list[int]], allowed: Sequence[int]) -> list[dict[int, float]]:
        raise RuntimeError("there is no engine here")

    def write(self, prompt: list[int], form: str, max_tokens: int) -> str:
        raise RuntimeError("there is no engine here")
