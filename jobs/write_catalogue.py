"""The catalogue writer as a job: from the items topic to the item store, encoding the texts."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from rayapp.cli.job import job
from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.llm.base_model import model_folder
from rayapp.metrics import Metrics
from rayapp.redrec.model.artifact import ItemSpace
from rayapp.stores.open import open_store
from rayapp.stores.registry import Registry
from rayapp.terminal import console
from streaming.catalogue_writer import GROUP, CatalogueApplier
from streaming.consumer import LogConsumer
from streaming.dead_letters import DeadLetters
from streaming.producer import EventProducer
from streaming.reporter import Reporter
from streaming.topics import wait_for_broker
from streaming.writer import follow


def known_content(config: Config) -> dict[str, np.ndarray]:
    """Content vectors of the newest model's item table, if its encoder is the configured one."""
    registry = Registry(config.models, config.name)
    head = registry.pointer("HEAD")
    if head is None:
        return {}
    manifest = registry.manifest(head)
    if manifest.config.get("encoder") != config.encoder:
        return {}
    return ItemSpace(registry.space_folder(manifest.space), manifest.config).content_by_key()


@job("Write the catalogue and its content vectors to the store. Runs until stopped.")
def main(config: Config) -> dict[str, Any] | None:
    torch.set_num_threads(1)
    wait_for_broker(config.broker)
    store = open_store(config.store_url, wait_s=30)
    connect_ray()
    metrics = Metrics()
    dead = DeadLetters(EventProducer(config.broker), config.topic("dead"), metrics)
    topic = config.topic("items")
    handler = CatalogueApplier(
        store,
        dead,
        metrics,
        encoder=config.encoder,
        images=config.images,
        known_content=partial(known_content, config),
        decoder_folder=partial(model_folder, cache=config.llm_cache),
    )
    handler.warm()
    console.print(f"writing the catalogue from {topic}")
    follow(
        LogConsumer(config.broker, topic, GROUP, batch=2000),
        handler,
        dead=dead,
        reporter=Reporter("catalogue", store.job_states()),
        metrics=metrics,
        say=console.print,
    )
    return None


if __name__ == "__main__":
    main()
