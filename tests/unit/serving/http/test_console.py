"""The console's files: served with a strict policy, complete, and without anything from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import rayapp.console
from rayapp.serving.http import console

FOLDER = Path(rayapp.console.__file__).parent
SCRIPTS = sorted(FOLDER.glob("*.js"))


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    console.install(app)
    return TestClient(app)


def test_every_file_is_served_and_nothing_else(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text == (FOLDER / "index.html").read_text()
    for file in (*SCRIPTS, FOLDER / "console.css"):
        answer = client.get(f"/console/{file.name}")
        assert answer.text == file.read_text()
        assert answer.headers["content-type"].startswith(("text/javascript", "text/css"))
    for path in ("/console/", "/console/__init__.py", "/console/../console.py", "/console/none.js"):
        assert client.get(path).status_code == 404


def test_no_script_but_our_own_may_run_and_nothing_is_fetched_from_elsewhere(client: TestClient) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    html = (FOLDER / "index.html").read_text()
    assert not re.search(r"\son\w+=|<script>|<style|style=", html), "inline code is not allowed to run"
    for file in (FOLDER / "index.html", FOLDER / "console.css", *SCRIPTS):
        text = file.read_text().replace('"http://www.w3.org/2000/svg"', "")  # a name, not an address
        assert not re.search(r"https?://|//[a-z]+\.", re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)), file.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", text), file.name


def test_what_is_imported_and_looked_up_is_there() -> None:
    ids = set(re.findall(r'\bid="([\w-]+)"', (FOLDER / "index.html").read_text()))
    for file in SCRIPTS:
        text = file.read_text()
        for name in re.findall(r'from "\./([\w.]+)"', text):
            assert (FOLDER / name).is_file(), f"{file.name} imports {name}"
        assert set(re.findall(r'\bat\("([\w-]+)"\)', text)) <= ids, file.name


def test_every_control_has_a_name() -> None:
    html = (FOLDER / "index.html").read_text()
    labelled = set(re.findall(r'<label for="([\w-]+)"', html))
    assert {i for tag, i in re.findall(r'<(input|select|textarea) id="([\w-]+)"', html)} == labelled
    panels = set(re.findall(r'role="tabpanel" id="([\w-]+)"', html))
    assert set(re.findall(r'aria-controls="([\w-]+)"', html)) == panels
