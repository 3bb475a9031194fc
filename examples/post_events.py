"""Put items, send events, and read the feed that follows: what a client of rayapp does.

    python examples/post_events.py --url http://localhost:8000

Needs a running system (`make up`). Writes three notes about lighthouses, lets a new user click two of them, and shows
the user's feed before and after.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import click
import httpx

NOTES = [
    {"item_id": "lighthouse-1", "title": "A lighthouse in the morning fog", "tags": ["lighthouses"]},
    {"item_id": "lighthouse-2", "title": "Climbing a lighthouse at low tide", "tags": ["lighthouses"]},
    {"item_id": "lighthouse-3", "title": "The keeper of the northern lighthouse", "tags": ["lighthouses"]},
]
WAIT_S = 30.0


def show(title: str, feed: dict[str, Any]) -> None:
    click.echo(f"{title} (model {feed['model_version']})")
    for item in feed["items"]:
        click.echo(f"  {item['title']}  [{item['source']}: {item['reason']}]")


def wait_for(api: httpx.Client, path: str) -> None:
    """Until the path answers 200: a new item is in the catalogue within seconds."""
    deadline = time.monotonic() + WAIT_S
    while api.get(path).status_code != 200:
        if time.monotonic() > deadline:
            raise click.ClickException(f"{path} is not there after {WAIT_S:g} s; see `rayapp status`")
        time.sleep(0.2)


def history(api: httpx.Client, user: str) -> list[dict[str, Any]]:
    return api.get(f"/v1/users/{user}/history").raise_for_status().json()["events"]


@click.command()
@click.option("--url", default="http://localhost:8000", show_default=True, help="Where rayapp listens.")
@click.option("--key", default="", envvar="RAYAPP_API_KEY", help="API key, where the server asks for one.")
@click.option("--k", default=5, show_default=True, help="Length of the feed.")
def main(url: str, key: str, k: int) -> None:
    """Put items, send events, and read the feed that follows: what a client of rayapp does."""
    user = f"example-{uuid.uuid4().hex[:8]}"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as api:
        api.put("/v1/items", json={"items": NOTES}).raise_for_status()
        wait_for(api, f"/v1/items/{NOTES[-1]['item_id']}")
        feed = api.get("/v1/feed", params={"user_id": user, "k": k}).raise_for_status().json()
        show("before", feed)
        about = {"user_id": user, "scenario": "homefeed"}
        # What was on the screen, then what was clicked, both with the request_id of the answer that showed it.
        seen = [
            {
                **about,
                "item_id": item["item_id"],
                "action": "impression",
                "position": n,
                "request_id": feed["request_id"],
            }
            for n, item in enumerate(feed["items"])
        ]
        clicks = [{**about, "item_id": note["item_id"], "action": "click"} for note in NOTES[:2]]
        answer = api.post("/v1/events", json={"events": seen + clicks}).raise_for_status().json()
        click.echo(f"events: {answer['accepted']} accepted, {len(answer['rejected'])} rejected")
        deadline = time.monotonic() + WAIT_S
        while len(history(api, user)) < len(clicks) and time.monotonic() < deadline:
            time.sleep(0.2)
        show("after", api.get("/v1/feed", params={"user_id": user, "k": k}).raise_for_status().json())


if __name__ == "__main__":
    main()
