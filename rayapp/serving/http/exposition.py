"""/metrics: this system's series from every node's Ray exporter, without Ray's prefix."""

from __future__ import annotations

import asyncio
import re
from contextlib import AbstractContextManager

import httpx
import ray

from rayapp.errors import Unavailable
from rayapp.http_client import own_async_client
from rayapp.serving.live.served_versions import ServedVersions
from rayapp.serving.periodic import periodically

EXPORT_S = 1.0
LINE = re.compile(r"^(# (?:HELP|TYPE) )?ray_(rayapp_\w+)(.*)$")
# Ray's own labels that say only which process counted; what is summed over anyway.
NOISE = re.compile(r'(?:SessionName|NodeAddress|Version|Component|NodeId)="[^"]*",?')
# A version that is served no more: one series for every version there ever was would be no low cardinality.
GONE = re.compile(r"^ray_rayapp_model_version_info\{.*\} 0(\.0)?$")

# There in every answer while a version is served.
OF_VERSIONS = ("rayapp_model_version_info", "rayapp_model_age_seconds")


def strip(text: str) -> list[str]:
    """The lines of this system's series, `ray_` taken off, metadata once a series."""
    lines = []
    for line in text.splitlines():
        match = LINE.match(line)
        if match and not GONE.match(line):
            meta, name, rest = match.groups()
            lines.append(f"{meta or ''}{name}{rest if meta else NOISE.sub('', rest).replace(',}', '}')}")
    return lines


class MetricsAway(Unavailable):
    """The series cannot be had now; an answer without them would look like a system that counts nothing."""


class VersionGauges:
    """Ray's exporter leaves a gauge out of the next report when it was not set since the last, so the gauges of served
    versions are set all the time, not only while somebody asks for them."""

    def __init__(self, versions: ServedVersions, *, every_s: float = EXPORT_S) -> None:
        self.versions = versions
        self.every_s = every_s

    def running(self) -> AbstractContextManager[None]:
        """Set them while the context lasts; needs a running event loop."""
        return periodically(self._export, every_s=self.every_s, name="version gauges")

    async def _export(self) -> None:
        self.versions.export()


async def collect(*, serving: bool, timeout_s: float = 3.0) -> str:
    """Prometheus text of all nodes that answer; families stay together.

    `serving`: a version is served, so its gauges must be there. Raises MetricsAway where no node answers or they are
    not.
    """
    if not ray.is_initialized():
        raise MetricsAway("this process runs without Ray, which exports the series")
    nodes = [n for n in ray.nodes() if n["Alive"] and n.get("MetricsExportPort")]
    async with own_async_client(timeout=timeout_s) as client:
        urls = [f"http://{n['NodeManagerAddress']}:{n['MetricsExportPort']}/metrics" for n in nodes]
        answers = await asyncio.gather(*(client.get(url) for url in urls), return_exceptions=True)
    texts = [answer.text for answer in answers if isinstance(answer, httpx.Response) and answer.is_success]
    if not texts:
        raise MetricsAway(f"none of {len(nodes)} nodes' metrics exporters answers; ask again")
    return merged(texts, required=OF_VERSIONS if serving else ())


def merged(texts: list[str], *, required: tuple[str, ...]) -> str:
    """One exposition of those of several nodes. Raises MetricsAway when a `required` series is in none of them."""
    metadata: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for text in texts:
        family = ""
        for line in strip(text):
            if line.startswith("# "):
                family = line.split(" ", 3)[2]
                known = metadata.setdefault(family, [])
                if line not in known:
                    known.append(line)
            else:
                samples.setdefault(family, []).append(line)
    missing = [name for name in required if not samples.get(name)]
    if missing:
        raise MetricsAway(f"{' and '.join(missing)} are not exported yet; ask again")
    return "".join(f"{line}\n" for f in sorted(metadata) for line in [*metadata[f], *samples.get(f, [])])
