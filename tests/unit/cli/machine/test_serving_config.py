"""What is deployed: every application of the profile, the language model's only where it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.serving_config import serve_config
from rayapp.config import Config, Llm, Serving


def applications(folder: Path, profile: str, llm: Llm) -> dict[str, Any]:
    config = Config(state=str(folder), llm=llm, serving=Serving(profile=profile))
    return {app["name"]: app for app in serve_config(config, Layout(folder))["applications"]}


@pytest.mark.parametrize("profile", ["laptop", "cluster"])
def test_the_language_model_is_there_unless_it_is_left_out_or_runs_elsewhere(tmp_path: Path, profile: str) -> None:
    with_it = applications(tmp_path, profile, Llm())
    assert list(with_it) == ["rayapp", "redone"]
    assert with_it["redone"]["route_prefix"] == "/llm"
    assert with_it["redone"]["args"]["config"] == str(Layout(tmp_path).config)
    assert with_it["redone"]["args"]["engine"]["logprobs_mode"] == "processed_logprobs"
    assert list(applications(tmp_path, profile, Llm(enabled=False))) == ["rayapp"]
    assert list(applications(tmp_path, profile, Llm(url="http://elsewhere/v1"))) == ["rayapp"]


def test_where_the_model_is_asked() -> None:
    config = Config()
    assert config.llm_url == f"http://127.0.0.1:{config.ports.http}/llm/v1"
    elsewhere = msgspec.structs.replace(config, llm=Llm(url="http://elsewhere/v1"))
    assert elsewhere.llm_url == "http://elsewhere/v1"


def test_the_number_of_gateways_is_configured_where_load_does_not_decide_it(tmp_path: Path) -> None:
    def gateway(profile: str) -> dict[str, Any]:
        config = Config(state=str(tmp_path), serving=Serving(profile=profile, replicas=3))
        (app, *_) = serve_config(config, Layout(tmp_path))["applications"]
        return next(deployment for deployment in app["deployments"] if deployment["name"] == "gateway")

    assert gateway("laptop")["num_replicas"] == 3
    assert "num_replicas" not in gateway("cluster")
