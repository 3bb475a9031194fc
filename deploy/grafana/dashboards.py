"""The Grafana dashboards as typed code; `python deploy/grafana/dashboards.py` renders them to JSON beside this file.

Ray's own dashboards (nodes, Serve replicas, Ray Data) are linked, not copied: Ray writes them to its session folder.
"""

from __future__ import annotations

from pathlib import Path
from string import ascii_uppercase
from typing import Literal, NamedTuple

from grafana_foundation_sdk.builders import bargauge, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType, DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

FOLDER = Path(__file__).parent
SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
HEIGHT = 8
BUILDERS = {"lines": timeseries.Panel, "now": stat.Panel, "bars": bargauge.Panel, "rows": table.Panel}


class Query(NamedTuple):
    """PromQL and the legend of its series."""

    expr: str
    legend: str = ""


class Panel(NamedTuple):
    """`width` of 24; `now`, `bars` and `rows` show the latest value alone. `unit`: as Grafana names it."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Literal["lines", "now", "bars", "rows"] = "lines"
    width: int = 12
    about: str = ""


class Board(NamedTuple):
    uid: str
    title: str
    rows: dict[str, tuple[Panel, ...]]


def quantiles(
    record: str, by: str, where: str = "", levels: tuple[str, ...] = ("0.5", "0.95", "0.99")
) -> tuple[Query, ...]:
    return tuple(
        Query(
            f"histogram_quantile({level}, sum by ({by}, le) (rate({record}_bucket{where}[$__rate_interval])))",
            f"{{{{{by}}}}} p{float(level) * 100:g}",
        )
        for level in levels
    )


def by(label: str, series: str, where: str = "") -> Query:
    return Query(f"sum by ({label}) (rate({series}{where}[$__rate_interval]))", f"{{{{{label}}}}}")


ERRORS = Query("rayapp:errors:share5m", "share of requests")
SERVED = Query('rayapp:freshness_seconds:p95_10m{stage="served"}', "p95, ten minutes")
REQUESTS = by("route", "rayapp_requests_total")
VERSION = Query("max by (model, version) (rayapp_model_version_info) > 0", "{{model}}@{{version}}")
AGE = Query("max by (model) (rayapp_model_age_seconds)", "{{model}}")
LAG = Query("rayapp:consumer_lag:sum", "{{group}} on {{topic}}")
EVENTS = by("result", "rayapp_events_total")
DEAD = by("reason", "rayapp_dead_letters_total")
VERDICTS = by("decision", "rayapp_verdicts_total")

BOARDS = (
    Board(
        "rayapp-overview",
        "Overview",
        {
            "Now": (
                Panel("Errors", (ERRORS,), "percentunit", "now", 6, "Answers of 500 and above; the objective is 0.5%."),
                Panel("Click to answer", (SERVED,), "s", "now", 6, "From a click to answers of a model that learned it."),
                Panel("Version", (VERSION,), "short", "rows", 6),
                Panel("Its age", (AGE,), "s", "now", 6),
            ),
            "Load": (
                Panel("Requests", (REQUESTS,), "reqps"),
                Panel("Time to answer, p99", (Query("rayapp:request_seconds:p99_5m", "{{route}}"),), "s"),
                Panel("Events", (EVENTS,), "cps"),
                Panel("Records not read yet", (LAG,)),
            ),
        },
    ),
    Board(
        "rayapp-stream",
        "Stream and freshness",
        {
            "Freshness": (
                Panel("Age of an event when a stage is done, p50", (Query("rayapp:freshness_seconds:p50_10m", "{{stage}}"),), "s"),
                Panel("The same, p95", (Query("rayapp:freshness_seconds:p95_10m", "{{stage}}"),), "s"),
            ),
            "Log": (
                Panel("Events", (EVENTS,), "cps"),
                Panel("Lag by group", (LAG,)),
                Panel("Lag by partition", (Query("max by (topic, group, partition) (rayapp_consumer_lag)", "{{group}} {{topic}}/{{partition}}"),)),
                Panel("Dead letters", (DEAD,), "cps", about="What could not be used; rayapp.dead has each with its reason."),
            ),
        },
    ),
    Board(
        "rayapp-learning",
        "Learning",
        {
            "Quality before training": (
                Panel("On each window, before it is learned", (Query("max by (metric, scenario) (rayapp_prequential)", "{{metric}} {{scenario}}"),), width=24),
            ),
            "Versions": (
                Panel("Published and rejected", (Query("sum by (outcome) (increase(rayapp_publish_total[$__rate_interval]))", "{{outcome}}"),)),
                Panel("Age of the served version", (AGE,), "s"),
                Panel("Events left out", (by("reason", "rayapp_events_skipped_total"),), "cps"),
                Panel("Served", (VERSION,), kind="rows"),
            ),
        },
    ),
    Board(
        "rayapp-serving",
        "Serving",
        {
            "Answers": (
                Panel("Requests by status", (by("status", "rayapp_requests_total"),), "reqps"),
                Panel("Errors", (ERRORS, Query("rayapp:errors:share1h", "an hour")), "percentunit"),
                Panel("Time to answer", quantiles("rayapp_request_seconds", "route", levels=("0.5", "0.99")), "s", width=24),
            ),
            "Stages of a request": (
                Panel("Each stage, p95", (Query("rayapp:stage_seconds:p95_5m", "{{stage}}"),), "s"),
                Panel("Each stage, mean", (Query("sum by (stage) (rate(rayapp_stage_seconds_sum[$__rate_interval])) / sum by (stage) (rate(rayapp_stage_seconds_count[$__rate_interval]))", "{{stage}}"),), "s"),
            ),
        },
    ),
    Board(
        "rayapp-redone",
        "RedOne",
        {
            "Moderation": (
                Panel("Verdicts by decision", (VERDICTS,), "cps"),
                Panel("Verdicts by who gave them", (by("outcome", "rayapp_verdicts_total"),), "cps"),
                Panel("Verdicts of a day", (Query("sum by (decision) (increase(rayapp_verdicts_total[1d]))", "{{decision}}"),), kind="bars"),
            ),
            "Search": (
                Panel("Understanding a query", quantiles("rayapp_stage_seconds", "stage", '{stage="understand"}'), "s"),
                Panel("Search, time to answer", quantiles("rayapp_request_seconds", "route", '{route="/v1/search"}'), "s"),
            ),
        },
    ),
    Board(
        "rayapp-experiments",
        "Experiments",
        {
            "Exposures": (
                Panel("Answers by arm", (Query("sum by (experiment, arm) (rate(rayapp_exposures_total[$__rate_interval]))", "{{experiment}} {{arm}}"),), "cps"),
                Panel("Answers of a day by arm", (Query("sum by (experiment, arm) (increase(rayapp_exposures_total[1d]))", "{{experiment}} {{arm}}"),), kind="bars"),
            ),
            "Results": (
                Panel("Users by arm", (Query("max by (experiment, arm) (rayapp_experiment_users)", "{{experiment}} {{arm}}"),)),
                Panel(
                    "Lift, and 95% at any time",
                    (Query("max by (experiment, arm, metric, bound) (rayapp_experiment_lift)", "{{experiment}} {{arm}} {{metric}} {{bound}}"),),
                    "percentunit",
                ),
            ),
            "Trust": (
                Panel("Sample ratio, p (below 0.001 the split is broken)", (Query("min by (experiment) (rayapp_sample_ratio_pvalue)", "{{experiment}}"),)),
                Panel("Guardrails (0: broken)", (Query("min by (experiment, arm, metric) (rayapp_guardrail_holds)", "{{experiment}} {{arm}} {{metric}}"),)),
            ),
        },
    ),
)  # fmt: skip


def built(board: Board) -> dashboard.Dashboard:
    """The board as the SDK's builder."""
    made = (
        dashboard.Dashboard(f"rayapp: {board.title}")
        .uid(board.uid)
        .tags(["rayapp"])
        .refresh("10s")
        .time("now-1h", "now")
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .link(_link("rayapp").as_dropdown(True).title("rayapp"))
        .link(_link("ray").as_dropdown(True).title("Ray's own"))
    )
    for title, panels in board.rows.items():
        made = made.with_row(dashboard.Row(title))
        for panel in panels:
            made = made.with_panel(_panel(panel))
    return made


def _link(tag: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(tag).type(DashboardLinkType.DASHBOARDS).tags([tag]).keep_time(True)


def _panel(panel: Panel) -> timeseries.Panel | stat.Panel | bargauge.Panel | table.Panel:
    made = (
        BUILDERS[panel.kind]().title(panel.title).unit(panel.unit).span(panel.width).height(HEIGHT).datasource(SOURCE)
    )
    if panel.about:
        made = made.description(panel.about)
    if panel.kind == "lines":
        legend = VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST)
        made = made.legend(legend.placement(LegendPlacement.BOTTOM)).min(0).fill_opacity(10)
    elif panel.kind != "rows":
        made = made.reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    for letter, query in zip(ascii_uppercase, panel.queries, strict=False):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).datasource(SOURCE).ref_id(letter)
        if panel.kind != "lines":
            target = target.instant()
        made = made.with_target(target.format(PromQueryFormat.TABLE) if panel.kind == "rows" else target)
    return made


def rendered(board: Board) -> str:
    return str(JSONEncoder(sort_keys=True, indent=1).encode(built(board).build())) + "\n"


def main() -> None:
    for board in BOARDS:
        (FOLDER / f"{board.uid}.json").write_text(rendered(board))
        print(f"{board.uid}.json: {sum(map(len, board.rows.values()))} panels")


if __name__ == "__main__":
    main()
