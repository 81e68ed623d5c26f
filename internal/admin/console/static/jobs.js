// Long tasks that the bridge runs: verifications and checks of the installation. Any bridge shows a job, so a link to one works.

import { html, nothing } from "./vendor/lit/lit-html.js";
import { get, send } from "./api.js";
import { age, number, when } from "./format.js";
import { meter } from "./parts.js";

/** start starts a job, or joins the one that runs, and returns it. */
export const start = async (kind, parameters) => (await send("POST", kind, parameters)).data;

/** job returns one; undefined if the bridges do not remember it any more. */
export async function job(id, options) {
  try {
    return (await get(`jobs/${encodeURIComponent(id)}`, {}, options)).data;
  } catch (error) {
    if (error.status === 404) return undefined;
    throw error;
  }
}

/** latest returns the newest jobs of a kind without their results, the running one first. */
export const latest = async (kind, options) => (await get("jobs", {}, options)).data.items.filter((j) => j.kind === kind);

/** progress shows how far a job is, or how it ended. */
export function progress(j) {
  if (j.state === "running") {
    const { done = 0, total, unit = "" } = j.progress ?? {};
    return html`<div class="stack" role="status">
      <p>Running on ${j.bridge} since ${when(j.started)}: ${number(done)}${total ? ` of ${number(total)}` : ""} ${unit}</p>
      ${total ? meter(done / total, `${done} of ${total} ${unit}`) : nothing}
    </div>`;
  }
  if (j.state === "failed") return html`<p class="notice critical" role="alert"><strong>It has no result.</strong> ${j.error}</p>`;
  return html`<p class="muted small">${j.bridge} finished it at ${when(j.ended)}, ${age(j.ended)} ago.</p>`;
}
