"""Recording and alert rules: promtool's own tests, and names that are exported."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from rayapp.metrics import SERIES

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "prometheus"
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


@needs_promtool
@pytest.mark.parametrize(
    "words",
    [("check", "config", "prometheus.yml"), ("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")],
)
def test_promtool(words: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *words], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_reads_series_that_are_exported_and_every_alert_is_tested() -> None:
    rules = [rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"] for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    exported = {f"{name}_{part}" for name in SERIES for part in ("bucket", "sum", "count")} | set(SERIES)
    for rule in rules:
        named = set(re.findall(r"rayapp[\w:]+", re.sub(r'"[^"]*"', "", rule["expr"])))
        assert named
        assert named <= recorded | exported, rule["expr"]
    tests = yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
    fired = {a["alertname"] for test in tests for a in test.get("alert_rule_test", ()) if a["exp_alerts"]}
    assert fired == {rule["alert"] for rule in rules if "alert" in rule}
    assert all(rule["labels"]["severity"] in ("page", "ticket") for rule in rules if "alert" in rule)
