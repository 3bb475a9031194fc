"""Dashboards: the JSON is what the code renders, every query is PromQL over series that are exported."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from rayapp.metrics import SERIES

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"


@pytest.fixture(scope="module")
def dashboards() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboards", DEPLOY / "grafana" / "dashboards.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_json_in_the_tree_is_what_the_code_renders(dashboards: ModuleType) -> None:
    files = {file.stem: file.read_text() for file in (DEPLOY / "grafana").glob("*.json")}
    assert files == {board.uid: dashboards.rendered(board) for board in dashboards.BOARDS}


def test_every_panel_has_queries_of_its_own_source_and_a_place(dashboards: ModuleType) -> None:
    for board in dashboards.BOARDS:
        panels = [p for p in json.loads(dashboards.rendered(board))["panels"] if p["type"] != "row"]
        assert len({(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels}) == len(panels)
        assert len({p["title"] for p in panels}) == len(panels)
        for panel in panels:
            assert panel["targets"]
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${source}"}
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def test_every_query_is_promql_over_what_is_exported(dashboards: ModuleType, tmp_path: Path) -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"][0]["rules"]
    known = {rule["record"] for rule in rules if "record" in rule} | set(SERIES)
    known |= {
        f"{name}_{part}" for name, s in SERIES.items() if s.kind == "histogram" for part in ("bucket", "sum", "count")
    }
    exprs = [q.expr for b in dashboards.BOARDS for panels in b.rows.values() for p in panels for q in p.queries]
    for expr in exprs:
        assert set(re.findall(r"rayapp[\w:]+", re.sub(r'"[^"]*"', "", expr))) <= known, expr
    used = {name for expr in exprs for name in SERIES if name in expr} | {
        name for rule in rules for name in SERIES if name in rule["expr"]
    }
    assert used == set(SERIES), "a series that nobody looks at"
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    made = [{"record": f"q:{n}", "expr": e.replace("$__rate_interval", "1m")} for n, e in enumerate(exprs)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}))
    done = subprocess.run(["promtool", "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
