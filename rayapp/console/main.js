// The console: tabs, the reader, and the lists.

import { call, path } from "./api.js";
import { experiments } from "./experiments.js";
import { follow } from "./live.js";
import { moderation } from "./moderation.js";
import { show } from "./notes.js";
import { at, guarded, say } from "./page.js";
import { newcomer, user } from "./user.js";

const AFTER_MS = 700; // a click is in the history within a second
const tabs = [...document.querySelectorAll("[role=tab]")];
const shown = { feed: new Set(), ads: new Set(), search: new Set() };
let cursor;

function choose(tab) {
  say("");
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    at(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  document.dispatchEvent(new CustomEvent("rayapp-tab", { detail: tab.getAttribute("aria-controls") }));
}

function ids(answer) {
  return new Set(answer.items.map((item) => item.item_id));
}

function about(place, answer, fresh) {
  const arms = Object.entries(answer.experiments).map(([name, arm]) => `${name}: ${arm}`);
  place.textContent = [`${answer.items.length} notes`, fresh === undefined ? "" : `${fresh} of them new`, `model ${answer.model_version}`, ...arms, answer.exhausted ? "no more" : ""].filter(Boolean).join(" · ");
}

async function list(what, answer, changed) {
  const before = shown[what];
  shown[what] = ids(answer);
  show(at(`${what}-notes`), answer, before, changed);
  about(at(`${what}-about`), answer, before.size ? [...shown[what]].filter((id) => !before.has(id)).length : undefined);
}

const feed = guarded(async () => {
  const answer = await call(path("v1/feed", { user_id: user.id, k: 20, scenario: at("scenario").value }));
  cursor = answer.cursor;
  await list("feed", answer, soon(feed));
});

const more = guarded(async () => {
  const answer = await call(path("v1/feed", { user_id: user.id, k: 20, scenario: at("scenario").value, cursor }));
  const added = show(at("feed-notes"), answer, new Set(), soon(feed), true);
  ids(answer).forEach((id) => shown.feed.add(id));
  say(added ? `${added} more notes` : "There are no more notes");
});

const ads = guarded(async () => list("ads", await call(path("v1/ads", { user_id: user.id, k: 5 })), soon(ads)));

const search = guarded(async () => {
  const query = at("query").value.trim();
  if (!query) return;
  const answer = await call(path("v1/search", { q: query, user_id: user.id, k: 20 }));
  await list("search", { ...answer, query }, () => {});
  const { source, intent, expansions, spelling } = answer.understanding;
  const read = source === "redone" ? [`read by RedOne: ${intent}`, spelling && `as “${spelling}”`, expansions.length && `also ${expansions.join(", ")}`] : ["not read by RedOne in time; ask again"];
  at("search-about").textContent += ` · ${read.filter(Boolean).join(", ")}`;
});

// After an action the list is asked for again, once, when the click has reached the history.
function soon(again) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(again, AFTER_MS);
  };
}

function become(id) {
  user.become(id);
  at("user").value = id;
  for (const what of Object.keys(shown)) shown[what] = new Set();
  say(`You are ${id}`);
  feed();
}

tabs.forEach((tab, index) => {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (pressed) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[pressed.key];
    if (!step) return;
    const next = tabs[(index + step + tabs.length) % tabs.length];
    choose(next);
    next.focus();
  });
});
at("who").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  become(at("user").value.trim());
});
at("newcomer").addEventListener("click", () => become(newcomer()));
at("feed-again").addEventListener("click", feed);
at("feed-more").addEventListener("click", more);
at("scenario").addEventListener("change", feed);
at("ads-again").addEventListener("click", ads);
at("search-form").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  search();
});
at("opened-close").addEventListener("click", () => at("opened").close());
document.addEventListener("rayapp-tab", ({ detail }) => {
  if (detail === "ads" && !shown.ads.size) ads();
});
document.addEventListener("rayapp-search", ({ detail }) => {
  at("query").value = detail;
  choose(at("tab-search"));
  search();
});
moderation();
experiments();
become(user.id);
follow();
