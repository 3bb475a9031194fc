// A list of notes or ads with what a reader can do to each, and one note opened.

import { call, path } from "./api.js";
import { act, impression } from "./events.js";
import { at, guarded, made, say } from "./page.js";
import { user } from "./user.js";

const ACTIONS = [
  ["like", "Like", "You like this"],
  ["collect", "Keep", "Kept"],
  ["share", "Share", "Shared"],
  ["follow", "Follow its author", "Followed"],
  ["hide", "Hide", "Hidden; it will not come again"],
  ["report", "Report", "Reported"],
];
const SEEN_MS = 800;

const timers = new WeakMap();
const sights = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      clearTimeout(timers.get(target));
      if (!isIntersecting) continue;
      timers.set(target, setTimeout(() => {
        sights.unobserve(target);
        impression(target.shown);
      }, SEEN_MS));
    }
  },
  { threshold: 0.5 },
);

// `answer` is the contract's; `before` the ids of the list that stood here; `changed` is called after every action.
export function show(list, answer, before, changed, append = false) {
  if (!append) list.replaceChildren();
  const first = list.children.length;
  answer.items.forEach((item, index) => {
    const shown = { ...item, request_id: answer.request_id, scenario: answer.scenario, position: index, query: answer.query };
    const row = made("li", { "data-item": item.item_id }, ...parts(shown, changed));
    if (before.size && !before.has(item.item_id)) row.classList.add("new");
    row.shown = shown;
    list.append(row);
    sights.observe(row);
  });
  return list.children.length - first;
}

function parts(shown, changed) {
  const opened = made("button", { class: "note-title", type: "button", onclick: guarded(() => open(shown, changed)) }, shown.title || shown.item_id);
  const why = made("p", { class: "why about" }, [shown.reason, shown.source, `score ${shown.score.toFixed(3)}`].filter(Boolean).join(" · "));
  const acts = ACTIONS.map(([action, label, done]) => {
    const button = made("button", { type: "button", "aria-pressed": "false", "aria-label": `${label}: ${shown.title}` }, label);
    button.addEventListener("click", guarded(async () => {
      await act(action, shown);
      button.setAttribute("aria-pressed", "true");
      say(`${done}: ${shown.title}`);
      if (action === "hide") button.closest("li").remove();
      changed();
    }));
    return button;
  });
  return [made("h2", {}, opened), why, made("div", { class: "acts" }, ...acts)];
}

export async function open(shown, changed) {
  const began = Date.now();
  const [item] = await Promise.all([call(`v1/items/${encodeURIComponent(shown.item_id)}`), act("click", shown)]);
  const dialog = at("opened");
  at("opened-title").textContent = item.title;
  at("opened-about").textContent = [item.author && `by ${item.author}`, ...(item.tags ?? []).map((tag) => `#${tag}`), item.verdict && `verdict: ${item.verdict.decision}`].filter(Boolean).join(" · ");
  at("opened-body").textContent = item.body ?? "";
  const queries = at("opened-queries");
  queries.replaceChildren(made("li", {}, "…"));
  dialog.onclose = guarded(async () => {
    say(`Read for ${Math.round((Date.now() - began) / 1000)} s: ${item.title}`);
    changed();
  });
  dialog.showModal();
  await suggest(shown.item_id, queries, dialog);
}

// RedOne writes them on first demand: asked again every few seconds while the note is open.
async function suggest(id, list, dialog) {
  for (let tries = 0; tries < 20 && dialog.open; tries += 1) {
    const found = await call(path(`v1/items/${encodeURIComponent(id)}/queries`, { k: 5, user_id: user.id }));
    if (found.status === "ready") {
      const search = (query) => () => {
        // What was offered is an answer of its own: a click on it says that it was a good one.
        act("click", { scenario: "search", request_id: found.request_id, query }).catch(() => {});
        dialog.close();
        document.dispatchEvent(new CustomEvent("rayapp-search", { detail: query }));
      };
      list.replaceChildren(...found.queries.map((query) => made("li", {}, made("button", { type: "button", onclick: search(query) }, query))));
      if (!found.queries.length) list.replaceChildren(made("li", {}, "none"));
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 3000));
  }
}
