// A note judged as the policy judges it: every category's probability and the decision.

import { call } from "./api.js";
import { at, guarded, made, percent, say, table } from "./page.js";

export function moderation() {
  at("judge").addEventListener("submit", guarded(async (submitted) => {
    submitted.preventDefault();
    say("The note is being judged …");
    const found = await call("v1/moderate", { method: "POST", body: { notes: [{ id: "console", text: at("text").value }] } });
    const [verdict] = found.verdicts;
    const rows = Object.entries(verdict.scores)
      .sort(([, a], [, b]) => b - a)
      .map(([name, share]) => {
        const bar = made("span", { class: "share", "aria-hidden": "true" });
        bar.style.width = `${Math.round(200 * share)}px`;
        return [name, percent(share), bar];
      });
    at("verdict").replaceChildren(
      made("h2", {}, "Decision: ", made("span", { class: verdict.decision === "allow" ? "good" : "bad" }, verdict.decision)),
      made("p", { class: "about" }, `${verdict.model_version}, policy ${verdict.policy_version}`),
      table(["category", "probability", ""], rows),
      made("p", {}, verdict.help ?? ""),
    );
    say(`Decision: ${verdict.decision}`);
  }));
}
