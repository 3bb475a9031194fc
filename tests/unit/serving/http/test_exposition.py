from __future__ import annotations

from rayapp.serving.http.exposition import strip

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
