"""Retrieval quality of search: by embedding, by keywords (BM25), and by both fused, as in serving."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch

from rayapp.cli.job import JobError, job
from rayapp.config import Config
from rayapp.content.cached import encoded_texts
from rayapp.data.parquet import read_file
from rayapp.retrieval.snapshot import Snapshot
from rayapp.search.fusion import reciprocal_rank_fusion
from rayapp.search.keywords import KeywordIndex
from rayapp.terminal import console, print_table

DEPTH = 60  # candidates that search takes from each list for 20 results
AT = (1, 10)


class SearchSet(NamedTuple):
    """Queries and notes; `answers`: for each query the row in `notes` of the one relevant note."""

    name: str
    queries: list[str]
    notes: list[str]
    answers: list[int]


def tasks(data: Path) -> list[SearchSet]:
    """The public sets. Raises JobError when one is missing."""
    english, chinese = data / "keyphrase" / "stackexchange.parquet", data / "relevance" / "qbqtc_zh.parquet"
    for file in (english, chinese):
        if not file.is_file():
            raise JobError(f"{file} is not there; give the folder that has keyphrase/ and relevance/")
    rows = [r for r in read_file(english).to_pylist() if r["split"] == "test"]
    titles, bodies = [r["title"] for r in rows], [r["body"] for r in rows]
    all_tasks = [SearchSet("StackExchange: title to body", titles, bodies, list(range(len(rows))))]
    rows = [r for r in read_file(chinese).to_pylist() if r["split"] == "test"]
    notes = list(dict.fromkeys(r["title"] for r in rows))
    place = {title: n for n, title in enumerate(notes)}
    best = {r["query"]: place[r["title"]] for r in rows if r["label"] == 2}  # 2: answers it fully
    return [*all_tasks, SearchSet("QBQTC (Chinese): query to page title", list(best), notes, list(best.values()))]


def ranks(hits_of_queries: list[list[str]], answers: list[int]) -> np.ndarray:
    """The rank of each query's answer, from 1; infinite if it is not in the list."""
    places = [
        hits.index(str(a)) + 1 if str(a) in hits else np.inf for hits, a in zip(hits_of_queries, answers, strict=True)
    ]
    return np.array(places)


def scores(places: np.ndarray) -> list[float]:
    return [float((places <= at).mean()) for at in AT] + [float(np.where(places <= 10, 1 / places, 0).mean())]


@job("Retrieval quality of search: hit rate at 1 and 10, and MRR@10, by embedding, by keywords, and fused.")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder with keyphrase/ and relevance/.")
@click.option("--limit", default=0, help="Maximum number of queries of each set (0: all).")
def main(config: Config, *, data: Path, limit: int) -> dict[str, Any]:
    torch.set_num_threads(2)
    encode = partial(encoded_texts, config.encoder, cache=config.encoder_cache, say=console.print)
    result: dict[str, Any] = {}
    table = []
    for task in tasks(data):
        if limit:
            task = task._replace(queries=task.queries[:limit], answers=task.answers[:limit])
        console.print(f"{task.name}: {len(task.queries):,} queries, {len(task.notes):,} notes")
        cache = config.state_path / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        ids = [str(n) for n in range(len(task.notes))]
        snapshot = Snapshot.build(ids, encode(task.notes))
        words = KeywordIndex()
        words.change(dict(zip(ids, task.notes, strict=True)))
        near = [[i for i, _ in h] for h in snapshot.search(encode(task.queries), DEPTH)]
        spelt = [[i for i, _ in words.search({query: 1.0}, DEPTH)] for query in task.queries]
        weights = [1.0, config.search.keywords]
        fused = [list(reciprocal_rank_fusion([a, b], weights)) for a, b in zip(near, spelt, strict=True)]
        for name, hits_of_queries in (("embedding", near), ("BM25", spelt), ("fused", fused)):
            values = scores(ranks(hits_of_queries, task.answers))
            table.append([f"{task.name}, {name}", *values])
            result[f"{task.name}/{name}"] = dict(zip(("hit@1", "hit@10", "mrr@10"), values, strict=True))
    print_table("one relevant note per query", ["", "hit@1", "hit@10", "MRR@10"], table)
    return result


if __name__ == "__main__":
    main()
