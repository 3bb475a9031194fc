"""/metrics: this system's series from every node's Ray exporter, without Ray's prefix."""

from __future__ import annotations

import asyncio
import re

import ray

from rayapp.http_client import own_async_client

LINE = re.compile(r"^(# (?:HELP|TYPE) )?ray_(rayapp_\w+)(.*)$")
# Ray's own labels that say only which process counted; what is summed over anyway.
NOISE = re.compile(r'(?:SessionName|NodeAddress|Version|Component|NodeId)="[^"]*",?')
# A version that is served no more: one series for every version there ever was would be no low cardinality.
GONE = re.compile(r"^ray_rayapp_model_version_info\{.*\} 0(\.0)?$")


def strip(text: str) -> list[str]:
    """The lines of this system's series, `ray_` taken off, metadata once a series."""
    lines = []
    for line in text.splitlines():
        match = LINE.match(line)
        if match and not GONE.match(line):
            meta, name, rest = match.groups()
            lines.append(f"{meta or ''}{name}{rest if meta else NOISE.sub('', rest).replace(',}', '}')}")
    return lines


async def collect(timeout_s: float = 3.0) -> str:
    """Prometheus text of all nodes that answer; families stay together."""
    nodes = [n for n in ray.nodes() if n["Alive"] and n.get("MetricsExportPort")]
    async with own_async_client(timeout=timeout_s) as client:
        urls = [f"http://{n['NodeManagerAddress']}:{n['MetricsExportPort']}/metrics" for n in nodes]
        answers = await asyncio.gather(*(client.get(url) for url in urls), return_exceptions=True)
    metadata: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for answer in answers:
        if isinstance(answer, BaseException):
            continue
        family = ""
        for line in strip(answer.text):
            if line.startswith("# "):
                family = line.split(" ", 3)[2]
                known = metadata.setdefault(family, [])
                if line not in known:
                    known.append(line)
            else:
                samples.setdefault(family, []).append(line)
    return "".join(f"{line}\n" for f in sorted(metadata) for line in [*metadata[f], *samples.get(f, [])])
