"""Every environment variable of ours: its name, its type, and the only place that reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

CONFIG = "RAYAPP_CONFIG"  # the configuration file of jobs and Serve applications that are given none
STATE = "RAYAPP_STATE"  # the state folder of the command line, which reads it itself
API_KEYS = "RAYAPP_API_KEYS"  # separated by commas; without any, the server listens on this machine only
SYSTEM = "RAYAPP_SYSTEM"  # marks every process of a system with its state folder
LLM_KEY = "RAYAPP_LLM_KEY"  # of the language model at llm.url, in place of llm.key
LLM_CORES = "RAYAPP_LLM_CORES"  # CPU cores of the language model's replica, separated by commas
LLM_NICE = "RAYAPP_LLM_NICE"  # niceness of the language model's replica


class Environment(NamedTuple):
    """The variables as they are set now."""

    config: str | None
    api_keys: tuple[str, ...]
    llm_key: str
    system: str | None
    llm_cores: str
    llm_nice: int


def read(variables: Mapping[str, str] = os.environ) -> Environment:
    """Raises ValueError when RAYAPP_LLM_NICE is not a number: this system sets it itself."""
    return Environment(
        config=variables.get(CONFIG),
        api_keys=tuple(key for key in variables.get(API_KEYS, "").split(",") if key),
        llm_key=variables.get(LLM_KEY, ""),
        system=variables.get(SYSTEM),
        llm_cores=variables.get(LLM_CORES, ""),
        llm_nice=int(variables.get(LLM_NICE) or 0),
    )
