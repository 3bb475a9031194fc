"""The configuration: sections owned by the packages that read them, and the root that nests them.

The sections of the three packages that take the whole configuration (command line, serving, training) are files here,
because imports run down: those packages know the root, and the root must not know them.
"""

from __future__ import annotations

from rayapp.config.checks import check
from rayapp.config.file import file_problems, load_config, save_config
from rayapp.config.ports import Ports
from rayapp.config.root import Config, check_host, with_data_scenarios
from rayapp.config.serving import Experiments, Serving
from rayapp.config.training import Training
from rayapp.llm.settings import Llm
from rayapp.redrec.online.settings import OnlineSettings
from rayapp.search.settings import Search
from rayapp.section import ConfigError, Section
from rayapp.stores.settings import History, Store
from streaming.settings import Kafka

__all__ = [
    "Config",
    "ConfigError",
    "Experiments",
    "History",
    "Kafka",
    "Llm",
    "OnlineSettings",
    "Ports",
    "Search",
    "Section",
    "Serving",
    "Store",
    "Training",
    "check",
    "check_host",
    "file_problems",
    "load_config",
    "save_config",
    "with_data_scenarios",
]
