// The strip at the top, read from /metrics: what is served, how fresh it is, what waits, what arrives.

import { text } from "./api.js";
import { at } from "./page.js";

const EVERY_MS = 3000;
let last;

export function samples(body) {
  const found = [];
  for (const line of body.split("\n")) {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match) continue;
    const labels = Object.fromEntries([...(match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]));
    found.push({ name: match[1], labels, value: Number(match[3]) });
  }
  return found;
}

export function quantile(buckets, q) {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const total = sorted.at(-1)?.[1] ?? 0;
  if (!total) return undefined;
  let [below, count] = [0, 0];
  for (const [le, upto] of sorted) {
    if (upto >= q * total) return le === Infinity ? below : below + ((le - below) * (q * total - count)) / Math.max(1e-9, upto - count);
    [below, count] = [le, upto];
  }
  return below;
}

const sum = (found, name, where = () => true) => found.filter((s) => s.name === name && where(s.labels)).reduce((total, s) => total + s.value, 0);

function put(id, words) {
  const place = at(id);
  if (place.textContent === words) return;
  const before = place.textContent;
  place.textContent = words;
  if (id === "live-version" && before !== "–") {
    place.classList.add("changed");
    setTimeout(() => place.classList.remove("changed"), 4000);
  }
}

const seconds = (value) => (value === undefined ? "–" : value < 120 ? `${value.toFixed(value < 10 ? 1 : 0)} s` : `${Math.round(value / 60)} min`);

async function look() {
  const found = samples(await text("metrics"));
  const now = { at: Date.now(), events: sum(found, "rayapp_events_total", (l) => l.result === "accepted") };
  const versions = found.filter((s) => s.name === "rayapp_model_version_info" && s.value > 0).map((s) => [Number(s.labels.version), s.labels.model]);
  const newest = versions.sort(([a], [b]) => b - a)[0];
  put("live-version", newest ? `${newest[1]}@${newest[0]}` : "–");
  const ages = found.filter((s) => s.name === "rayapp_model_age_seconds").map((s) => s.value);
  put("live-age", seconds(ages.length ? Math.min(...ages) : undefined));
  const buckets = new Map();
  for (const s of found) {
    if (s.name !== "rayapp_freshness_seconds_bucket" || s.labels.stage !== "served") continue;
    const le = s.labels.le === "+Inf" ? Infinity : Number(s.labels.le);
    buckets.set(le, (buckets.get(le) ?? 0) + s.value);
  }
  put("live-fresh", seconds(quantile(buckets, 0.5)));
  const partitions = new Map();
  for (const s of found) {
    if (s.name === "rayapp_consumer_lag") partitions.set(`${s.labels.topic}/${s.labels.partition}/${s.labels.group}`, s.value);
  }
  put("live-lag", [...partitions.values()].reduce((a, b) => a + b, 0).toLocaleString("en"));
  if (last) put("live-events", Math.max(0, ((now.events - last.events) * 1000) / (now.at - last.at)).toFixed(1));
  last = now;
}

export async function follow() {
  for (;;) {
    if (!document.hidden) await look().catch(() => put("live-version", "away"));
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
