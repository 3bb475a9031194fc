"""A candidate source of one's own: the newest notes first, beside what the running system recommends.

    python examples/custom_source.py --user ana

Needs a running system (`make up`). The class below is the whole of a source. To serve it, put it into
`rayapp/serving/pipeline/sources/` and add one line to the registry there; an experiment's arm then asks for it with
`params: {ranker: newest}`. Here it runs in this process, on the system's catalogue and histories, and writes
nothing.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import ClassVar

import click

from rayapp.config import load_config
from rayapp.domain import Kind
from rayapp.experiments.arm_params import ArmParams
from rayapp.experiments.assignments import Assigned
from rayapp.metrics import Metrics
from rayapp.ranking.slate import Candidate
from rayapp.serving.live.state import ServingState
from rayapp.serving.pipeline.hydrators import UserHistory
from rayapp.serving.pipeline.pipeline import Pipeline, Stages
from rayapp.serving.pipeline.request import Ask, Request
from rayapp.serving.pipeline.selectors import BestFirst
from rayapp.serving.pipeline.stages import Pool
from rayapp.stores.open import open_async_store


class Newest:
    """Notes that the user may see, newest first."""

    stage: ClassVar[str] = "retrieve"
    ranker: ClassVar[str] = "newest"

    def enabled(self, request: Request) -> bool:
        return request.ranker == self.ranker

    async def candidates(self, request: Request) -> Pool:
        eligible = filter(request.may_show, request.scene.catalogue.newest(request.ask.kind))
        newest = islice(eligible, request.ask.k)
        return Pool({self.ranker: [Candidate(i, -float(n), self.ranker, "new") for n, i in enumerate(newest)]})


async def answer(config_file: str, user: str, k: int) -> list[str]:
    """Titles of the list, best first."""
    config = load_config(config_file)
    state = ServingState(config, searches=False)
    store = open_async_store(config.store_url)
    history = UserHistory(store.history(config.history), store.pages(config.serving.page_ttl_s), config.scenarios)
    stages = Stages([history], [], [Newest()], [], [BestFirst()], [], [])
    ask = Ask(user, "homefeed", Kind.NOTE, k, assigned=Assigned({}, ArmParams(ranker="newest")))
    try:
        made = await Pipeline(state, stages, metrics=Metrics()).run(ask)
        return [state.catalogue.items[slot.candidate.item_id].title for slot in made.slots]
    finally:
        await store.close()
        state.close()


@click.command()
@click.option("--config", default=".rayapp/config.yaml", show_default=True, help="Of the running system.")
@click.option("--user", default="ana", show_default=True, help="User id.")
@click.option("--k", default=5, show_default=True, help="Length of the list.")
def main(config: str, user: str, k: int) -> None:
    """The newest notes first, as a candidate source of one's own."""
    for title in asyncio.run(answer(config, user, k)):
        click.echo(title)


if __name__ == "__main__":
    main()
