from __future__ import annotations

import asyncio

import pytest

from rayapp.serving.http.exposition import OF_VERSIONS, MetricsAway, VersionGauges, collect, merged, strip
from rayapp.serving.live.served_versions import ServedVersions

TEXT = """# HELP ray_rayapp_events_total Events.
# TYPE ray_rayapp_events_total counter
ray_rayapp_events_total{NodeAddress="1.2.3.4",SessionName="s",WorkerId="w",result="ok"} 5.0
# TYPE ray_node_cpu gauge
ray_node_cpu{x="y"} 1.0
ray_rayapp_model_version_info{model="redrec",version="6"} 0.0
ray_rayapp_model_version_info{model="redrec",version="7"} 1.0
"""


def test_only_this_systems_series_without_rays_prefix_and_labels() -> None:
    assert strip(TEXT) == [
        "# HELP rayapp_events_total Events.",
        "# TYPE rayapp_events_total counter",
        'rayapp_events_total{WorkerId="w",result="ok"} 5.0',
        'rayapp_model_version_info{model="redrec",version="7"} 1.0',
    ]


INFO = (
    "# TYPE ray_rayapp_model_version_info gauge\n"
    'ray_rayapp_model_version_info{model="redrec",version="7"} 1.0\n'
    'ray_rayapp_model_version_info{model="redrec",version="6"} 0.0\n'
)
AGE = '# TYPE ray_rayapp_model_age_seconds gauge\nray_rayapp_model_age_seconds{model="redrec"} 3.0\n'


def test_series_of_all_nodes_are_one_exposition_with_metadata_once() -> None:
    merged_text = merged([TEXT, TEXT.replace("5.0", "6.0"), INFO, AGE], required=OF_VERSIONS)
    assert merged_text.count("# TYPE rayapp_events_total counter") == 1
    assert 'rayapp_events_total{WorkerId="w",result="ok"} 6.0' in merged_text


@pytest.mark.parametrize(
    "texts", [[], [""], ["not an exposition"], [TEXT, INFO], [AGE], [INFO.replace("} 1.0", "} 0.0"), AGE]]
)
def test_without_the_gauges_of_what_is_served_there_is_no_answer_at_all(texts: list[str]) -> None:
    with pytest.raises(MetricsAway, match="not exported yet"):
        merged(texts, required=OF_VERSIONS)
    merged(texts, required=())  # before a first version there are none


async def test_without_an_exporter_it_is_503() -> None:
    with pytest.raises(MetricsAway):
        await collect(serving=True)


class Versions(ServedVersions):
    """Counts; its first export fails."""

    def __init__(self) -> None:
        self.exports = 0
        self.third = asyncio.Event()

    def export(self) -> None:
        self.exports += 1
        if self.exports == 1:
            raise OSError("the registry is away for a moment")
        if self.exports == 3:
            self.third.set()


async def test_gauges_are_set_again_and_again_whatever_one_time_does() -> None:
    versions = Versions()
    with VersionGauges(versions, every_s=0.001).running():
        await asyncio.wait_for(versions.third.wait(), 10)
    await asyncio.sleep(0)
    assert "version gauges" not in {task.get_name() for task in asyncio.all_tasks()}
