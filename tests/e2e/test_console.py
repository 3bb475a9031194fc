"""The console in a real browser: somebody new, clicks, a changed feed, search, moderation, an experiment's report."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.conftest import System
from tests.helpers import eventually

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "<img src=x onerror=\"document.title='taken'\"> free <script>document.title='taken'</script> coffee"
# Where pictures for the README go: RAYAPP_SCREENSHOTS=docs/images
PICTURES = os.environ.get("RAYAPP_SCREENSHOTS")


@pytest.fixture(scope="module")
def system(system_with_llm: System) -> System:
    return system_with_llm


@pytest.fixture(scope="module")
def page(system: System) -> Iterator[Page]:
    assert BROWSER is not None, "Chromium is not installed; `make test` installs it"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.set_default_timeout(20_000)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        # 503 with Retry-After is an answer that the page knows what to do with.
        page.on("console", lambda s: problems.append(s.text) if s.type == "error" and "503" not in s.text else None)
        page.on("request", lambda asked: own(asked.url))
        address = str(system.http.base_url)

        def own(url: str) -> None:
            if not url.startswith((address, "data:")):
                problems.append(f"asked {url}")

        page.goto(address)
        yield page
        browser.close()
        assert problems == []


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"console_{name}.png")


def notes(page: Page, where: str = "feed") -> list[str | None]:
    return [row.get_attribute("data-item") for row in page.locator(f"#{where}-notes li").all()]


def test_clicks_change_the_feed(page: Page, system: System) -> None:
    page.get_by_role("button", name="New user").click()
    expect(page.locator("#said")).to_contain_text("You are reader-")
    expect(page.locator("#feed-notes li")).to_have_count(20)
    before, reader = notes(page), page.locator("#user").input_value()
    title = page.locator("#feed-notes .note-title").first
    name = title.inner_text()
    title.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name=name)).to_be_visible()
    picture(page, "note")
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator("#feed-notes li.new").first).to_be_visible()
    expect(page.locator(f"#feed-notes li[data-item='{before[0]}']")).to_have_count(0)
    expect(page.locator("#feed-notes .why").first).to_contain_text("because of")
    assert len(set(notes(page)) - set(before)) >= 10
    liked = notes(page)[0]
    page.locator("#feed-notes li").first.get_by_role("button", name=re.compile("^Like")).click()
    expect(page.locator(f"#feed-notes li[data-item='{liked}']")).to_have_count(0)
    picture(page, "feed")
    events = {(e["item_id"], e["action"]) for e in system.history(reader)}
    assert {(before[0], "click"), (liked, "like")} <= events


def test_the_strip_shows_a_version_that_a_click_made(page: Page, system: System) -> None:
    served = system.status()["model"]["current"]
    reader = page.locator("#user").input_value()
    system.click(reader, system.feed_ids(reader, k=5))

    def newer() -> bool:
        shown = page.locator("#live-version").inner_text()
        return bool(re.fullmatch(r"redrec@\d+", shown)) and int(shown.split("@")[1]) > served

    eventually(newer, 90, "the strip shows a newer version")
    assert re.search(r"\d", page.locator("#live-events").inner_text())


def test_search_and_a_note_that_would_be_a_script(page: Page, system: System) -> None:
    system.put_note("hostile-1", HOSTILE)
    system.decide("hostile-1", "allow")  # the classifier takes it for spam
    query = "free coffee img onerror"
    eventually(
        lambda: "hostile-1" in [i["item_id"] for i in system.get("/v1/search", q=query)["items"]], 30, "its words"
    )
    page.get_by_role("tab", name="Search").click()
    page.get_by_role("searchbox").fill(query)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#search-notes li[data-item='hostile-1'] .note-title")).to_have_text(HOSTILE)
    assert page.title() == "rayapp"
    assert page.locator("#search-notes img, #search-notes script").count() == 0
    picture(page, "search")
    system.http.delete("/v1/items/hostile-1")


def test_moderation_by_keyboard_alone(page: Page) -> None:
    page.get_by_role("tab", name="Search").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Moderation")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("what a lovely morning")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#verdict")).to_contain_text("Decision", timeout=120_000)
    expect(page.locator("#verdict tbody tr").first).to_contain_text("%")
    picture(page, "moderation")


def test_an_experiment_from_its_beginning_to_its_report(page: Page, system: System) -> None:
    page.get_by_role("tab", name="Experiments").click()
    page.get_by_text("Start an experiment").click()
    page.get_by_role("button", name="Begin", exact=True).click()
    expect(page.locator("#said")).to_have_text("my-experiment: created")
    page.get_by_role("button", name="Begin", exact=True).click()
    expect(page.locator("#said")).to_have_text("my-experiment: unchanged")

    def everybody() -> bool:
        answers = [system.get("/v1/feed", user_id=f"browser-{n}") for n in range(30)]
        for n, answer in enumerate(answers):
            base = {"user_id": f"browser-{n}", "scenario": "homefeed", "request_id": answer["request_id"]}
            shown = [{**base, "item_id": i["item_id"], "action": "impression"} for i in answer["items"]]
            system.post_events(*shown, *({**e, "action": "click"} for e in shown[: 1 + n % 4]))
        return sum("my-experiment" in answer["experiments"] for answer in answers) > 8

    eventually(everybody, 60, "users are in the experiment")
    row = page.get_by_role("row").filter(has_text="my-experiment")
    row.get_by_role("button", name="Report").click()
    report = page.locator("#experiment-report")
    expect(report.get_by_role("heading")).to_have_text("my-experiment", timeout=90_000)
    expect(report).to_contain_text("users: control")
    expect(report.locator("svg circle")).to_have_count(1)
    expect(report.get_by_role("cell", name="too few users")).to_be_visible()
    picture(page, "experiment")
    page.once("dialog", lambda asked: asked.accept())
    row.get_by_role("button", name="Stop").click()
    expect(page.locator("#said")).to_have_text("my-experiment is stopped")


def test_it_fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 760})
    for name in ("Feed", "Search", "Ads", "Moderation", "Experiments"):
        page.get_by_role("tab", name=name).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, name
    page.get_by_role("tab", name="Feed").click()
    picture(page, "phone")


def test_the_page_of_the_api_needs_nothing_from_elsewhere(page: Page, system: System) -> None:
    page.goto(f"{system.http.base_url}/docs")
    calls = sum(len(methods) for methods in system.get("/openapi.json")["paths"].values())
    expect(page.locator(".opblock")).to_have_count(calls)
    page.locator(".opblock-summary").first.click()
    expect(page.locator(".opblock-body").first).to_be_visible()
