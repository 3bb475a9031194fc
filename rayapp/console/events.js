// What the reader did, as the events that every client of this system sends. Impressions wait a moment and go together.

import { call } from "./api.js";
import { user } from "./user.js";

const SOON_MS = 1000;
let waiting = [];
let timer = 0;

function event(action, shown, more = {}) {
  return {
    event_id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`,
    user_id: user.id,
    item_id: shown.item_id,
    scenario: shown.scenario,
    action,
    timestamp_ms: Date.now(),
    request_id: shown.request_id,
    position: shown.position,
    ...(shown.query ? { query: shown.query } : {}),
    ...more,
  };
}

export async function act(action, shown, more) {
  const found = await call("v1/events", { method: "POST", body: { events: [...waiting.splice(0), event(action, shown, more)] } });
  if (found.rejected.length) throw new Error(found.rejected[0].error);
}

export function impression(shown) {
  waiting.push(event("impression", shown));
  clearTimeout(timer);
  timer = setTimeout(() => send().catch(() => {}), SOON_MS);
}

async function send() {
  const events = waiting.splice(0);
  if (events.length) await call("v1/events", { method: "POST", body: { events } });
}
