// Experiments: what runs, how it stands, and the two things to do about it. Lifts are drawn with the interval that may
// be looked at at any time (thin) and the one of a fixed end (thick).

import { ApiError, call } from "./api.js";
import { at, guarded, made, say, signed, table } from "./page.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, ROW, LEFT, RIGHT] = [640, 34, 190, 12];
const READING_MS = 3000;
const MOST_TRIES = 100;

export function experiments() {
  document.addEventListener("rayapp-tab", ({ detail }) => {
    if (detail === "experiments") list();
  });
  at("experiments-again").addEventListener("click", list);
  at("experiment-form").addEventListener("submit", guarded(async (submitted) => {
    submitted.preventDefault();
    const found = await call("v1/experiments", { method: "POST", text: at("experiment-text").value });
    await list();
    say(`${found.experiment.name}: ${found.outcome}`);
  }));
}

const list = guarded(async () => {
  const { experiments: all } = await call("v1/experiments");
  const rows = all.map(({ experiment, running, started_ms }) => {
    const name = experiment.name;
    const look = made("button", { type: "button", "aria-label": `Report of ${name}`, onclick: guarded(() => report(name)) }, "Report");
    const end = made("button", { type: "button", "aria-label": `Stop ${name}`, onclick: guarded(() => stop(name)) }, "Stop");
    return [
      name,
      running ? made("span", { class: "good" }, "running") : "stopped",
      experiment.arms.map((arm) => `${arm.name} ${Math.round(100 * arm.weight)}%`).join(", "),
      experiment.scenarios.join(", ") || "all",
      new Date(started_ms).toLocaleString(),
      made("span", { class: "acts" }, look, ...(running ? [end] : [])),
    ];
  });
  at("experiments-list").replaceChildren(
    rows.length ? table(["name", "", "arms", "scenarios", "began", ""], rows) : made("p", {}, "No experiment was begun yet."),
  );
});

async function stop(name) {
  if (!window.confirm(`Stop ${name}? A stopped experiment cannot go on; its report stays.`)) return;
  await call(`v1/experiments/${encodeURIComponent(name)}/stop`, { method: "POST" });
  await list();
  say(`${name} is stopped`);
}

async function report(name) {
  const found = await read(name);
  say(`Report of ${name}`);
  const users = Object.entries(found.users).map(([arm, count]) => `${arm} ${count.toLocaleString("en")}`).join(", ");
  at("experiment-report").replaceChildren(
    made("h2", {}, name),
    made("p", { class: "about" }, `users: ${users}${found.mismatch === null ? "" : `; sample ratio p = ${found.mismatch.toPrecision(2)}`}`),
    ...found.warnings.map((warning) => made("p", { class: "bad" }, warning)),
    ...(found.comparisons.length ? [plot(found), figures(found)] : [made("p", {}, "Nobody to compare yet.")]),
    ...(found.guardrails.length ? [limits(found)] : []),
  );
  at("experiment-report").focus();
}

async function read(name) {
  for (let tries = 1; ; tries += 1) {
    try {
      say(tries > 1 ? "The log is being read …" : `Asking for the report of ${name} …`);
      return await call(`v1/experiments/${encodeURIComponent(name)}/report`);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 503 || tries >= MOST_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, READING_MS));
    }
  }
}

const both = (low, high, otherwise) => (low === null || high === null ? otherwise : `${signed(low)} to ${signed(high)}`);

function figures(found) {
  const rows = found.comparisons.map((one) => [
    one.metric,
    one.arm,
    one.value.toPrecision(4),
    one.control.toPrecision(4),
    one.lift === null ? "" : signed(one.lift),
    both(one.low, one.high, "too little to say"),
    one.pvalue_adjusted === null ? "" : one.pvalue_adjusted.toFixed(4),
    one.always === null ? "too few users" : both(...one.always),
  ]);
  return table(["metric", "arm", "value", "control", "lift", "95% at a fixed end", "p, adjusted", "95% at any time"], rows);
}

function limits(found) {
  const rows = found.guardrails.map((one) => [
    one.metric,
    one.arm,
    one.value.toPrecision(4),
    one.limit,
    made("span", { class: one.holds ? "good" : "bad" }, one.holds ? "holds" : "broken"),
  ]);
  return table(["guardrail", "arm", "value", "limit", ""], rows);
}

function drawn(tag, attributes, words) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (words !== undefined) element.textContent = words;
  return element;
}

function plot(found) {
  const shown = found.comparisons.filter((one) => one.lift !== null);
  const ends = shown.flatMap((one) => [one.lift, one.low, one.high, ...(one.always ?? [])]).filter((x) => x !== null);
  const most = Math.max(0.01, ...ends.map(Math.abs)) * 1.1;
  const x = (lift) => LEFT + ((WIDTH - LEFT - RIGHT) * (lift + most)) / (2 * most);
  const height = ROW * (shown.length + 1);
  const told = shown.map((one) => `${one.metric} of ${one.arm} ${signed(one.lift)}`).join(", ");
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": `Lifts over the control: ${told}`, class: "lifts" });
  picture.append(drawn("line", { x1: x(0), x2: x(0), y1: 4, y2: height - ROW, class: "zero" }));
  shown.forEach((one, row) => {
    const y = ROW * (row + 0.6);
    const kind = one.always_pvalue !== null && one.always_pvalue < 0.05 ? (one.lift > 0 ? "better" : "worse") : "open";
    const line = (from, to, width) => drawn("line", { x1: x(from), x2: x(to), y1: y, y2: y, "stroke-width": width, class: kind });
    picture.append(drawn("text", { x: 0, y: y + 4 }, `${one.metric}, ${one.arm}`));
    if (one.always) picture.append(line(...one.always, 1.5));
    if (one.low !== null) picture.append(line(one.low, one.high, 5));
    picture.append(drawn("circle", { cx: x(one.lift), cy: y, r: 5, class: kind }));
  });
  for (const [lift, anchor] of [[-most, "start"], [0, "middle"], [most, "end"]]) {
    picture.append(drawn("text", { x: x(lift), y: height - 8, "text-anchor": anchor }, signed(lift)));
  }
  return picture;
}
