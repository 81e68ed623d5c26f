// Webhooks: do deliveries arrive, and what did they miss?

import { html, nothing } from "../vendor/lit/lit-html.js";
import { changed, go, href } from "../address.js";
import { get } from "../api.js";
import { age, duration, number, plural, resourceOf, shell, vias, when } from "../format.js";
import { empty, moment, resourceLink, select, state, via } from "../parts.js";

// The states for which MK.IO documents a webhook. Other states and kinds are always seen by a poll first. A test compares this with
// what the bridge expects.
const channel = ["running", "stopped", "unabletostart"];
const announced = {
  job: ["processing", "finished", "error", "canceled"],
  "streaming-locator": ["created"],
  "live-channel": channel,
  "live-api-event": channel,
  "static-multiview-channel": channel,
  "static-multiview-event": channel,
  "scheduled-operation": ["accepted", "ongoing", "completed", "errored"],
};

/** sendsWebhook reports whether MK.IO sends a webhook for the change of an event. It sends none for what is created stopped, and none
 * for what runs again after an update. */
function sendsWebhook({ type, data }) {
  const state = data.state.toLowerCase(),
    before = data.previousState?.toLowerCase();
  if (!type.endsWith(".changed") || !announced[data.kind].includes(state)) return false;
  return before === undefined || before === "deleted" ? state !== "stopped" : before !== "updating";
}

const periods = [
  ["1h", "the last hour"],
  ["6h", "the last 6 hours"],
  ["1d", "the last day"],
  ["7d", "the last 7 days"],
];
const most = 200; // that are listed
const compared = 1000; // the newest events from polls

export const webhooks = {
  menu: "Webhooks",
  inMenu: true,
  refresh: 10_000,
  title: () => "Webhooks",
  async load(q, { signal }) {
    const [status, missed] = await Promise.all([
      get("status", {}, { signal }),
      get(
        "events",
        {
          follow: "false",
          since: q.get("since") ?? "1h",
          kind: Object.keys(announced).join(","),
          project: q.get("project"),
          via: "poll,history",
          tail: compared,
        },
        { signal },
      ),
    ]);
    const events = missed.data.items.filter(({ event }) => sendsWebhook(event));
    return { ...status, data: { ...status.data, missed: events.toReversed(), more: Boolean(missed.data.previous) } };
  },
  command: (q) => shell("mkio-bridge", "webhook", "history", q.get("project") ?? ""),
  answer(q, s) {
    const names = (projects) => projects.map((p) => p.project).join(", ");
    const wrong = s.projects.filter((p) => p.rule?.state === "wrong" || (p.rule?.state === "missing" && p.rule.managed));
    const failing = s.projects.filter((p) => p.deliveries?.failed && !(Date.parse(p.deliveries.sent) > Date.parse(p.deliveries.failed)));
    const newest = s.projects
      .map((p) => p.deliveries?.sent ?? "")
      .sort()
      .at(-1);
    const first = firstSeen(s);
    if (failing.length) return html`<strong class="bad">The newest delivery of ${names(failing)} failed.</strong> ${first}`;
    if (wrong.length) return html`<strong class="bad">The rule of ${names(wrong)} is ${wrong[0].rule.state}.</strong> ${first}`;
    if (s.events.total.webhook > 0) return `Deliveries arrive. ${first}`;
    if (newest) return `No event of the last hour came from a delivery; the newest delivery arrived ${age(newest)} ago. ${first}`;
    return s.projects.some((p) => p.rule && p.rule.state !== "missing")
      ? "No delivery is on record yet."
      : "No webhook rule is known, and no delivery arrived in the last hour.";
  },
  render: (q, s) =>
    html`<section class="card">
        <h2>Rules and their deliveries, as the bridge that polls a project has last read them</h2>
        ${
          s.projects.length
            ? html`<div class="scroll">
                <table class="cardlike">
                  <thead>
                    <tr>
                      <th>project</th>
                      <th>rule</th>
                      <th>newest that arrived</th>
                      <th>newest failed or retried</th>
                      <th class="n">last day: sent</th>
                      <th class="n">retrying</th>
                      <th class="n">failed</th>
                    </tr>
                  </thead>
                  <tbody>
                    ${s.projects.map((p) => rule(p))}
                  </tbody>
                </table>
              </div>`
            : empty(
                "No project is polled, so no rule is known.",
                "Set BRIDGE_MKIO_TOKEN, and BRIDGE_WEBHOOK_URL for a rule that the bridge keeps right.",
              )
        }
      </section>
      <section class="card">
        <div class="filters">
          ${select("period", q.get("since") ?? "1h", periods, (since) => go(changed({ since })))}${select("project", q.get("project") ?? "", ["", ...s.projects.map((p) => p.project)], (project) => go(changed({ project })))}
        </div>
        <h2>First seen by a poll, though MK.IO sends a webhook for it</h2>
        ${
          s.missed.length
            ? html`<div class="scroll">
                  <table class="cardlike">
                    <thead>
                      <tr>
                        <th>recorded</th>
                        <th>resource</th>
                        <th>state</th>
                        <th>source</th>
                        <th>MK.IO's time</th>
                      </tr>
                    </thead>
                    <tbody>
                      ${s.missed.slice(0, most).map(
                        ({ sequence, event: e }) =>
                          html`<tr>
                            <td data-label="recorded" class="nowrap">
                              <a href=${href({ v: "resource", resource: resourceOf(e.data), event: sequence })}>${when(e.recordedtime)}</a>
                            </td>
                            <td data-label="resource" class="name">${resourceLink(e.data)}</td>
                            <td data-label="state">${state(e.data.state, e.data.phase)}</td>
                            <td data-label="source" class="muted">${via(e.data.via)}</td>
                            <td data-label="MK.IO's time" class="nowrap">
                              ${e.data.evidence.timeFrom === "mkio" ? html`${when(e.time)} <span class="muted">${duration((Date.parse(e.recordedtime) - Date.parse(e.time)) / 1000)} before</span>` : html`<span class="muted">not given</span>`}
                            </td>
                          </tr>`,
                      )}
                    </tbody>
                  </table>
                </div>
                ${s.missed.length > most || s.more ? html`<p class="muted small">${number(Math.min(most, s.missed.length))} are shown.</p>` : nothing}
                <p class="muted small">
                  That does not mean that the delivery was lost: one that came later repeated what was recorded, and leaves no trace.
                </p>`
            : empty("Nothing.", firstSeen(s))
        }
      </section>
      <section class="card">
        <h2>Events of the last hour</h2>
        <div class="legend">
          ${["webhook", "poll", "history"].map((v) => html`<span><i class="swatch via-${v}" aria-hidden="true">■</i>${vias[v]} <strong>${number(s.events.total[v])}</strong></span>`)}
        </div>
      </section>`,
};

/** firstSeen says for how many changes a poll was first. Without polling nothing shows which deliveries are missing. */
function firstSeen({ missed, more, projects }) {
  if (!projects.some((p) => p.polled)) return "Whether deliveries are missing is not known: no project is polled.";
  if (missed.length) return `Polling was first for ${more ? "at least " : ""}${plural(missed.length, "change")} that MK.IO sends webhooks for.`;
  if (more) return `Of the newest ${number(compared)} events from polls, none is a change that MK.IO sends webhooks for.`;
  return "Every change that MK.IO sends webhooks for was first seen by its delivery.";
}

const rights = {
  right: ["● right", "good"],
  wrong: ["▲ wrong", "bad"],
  missing: ["▲ missing", "bad"],
  exists: ["exists", "muted"],
  unknown: ["not known yet", "muted"],
};

function rule({ project, rule: r, deliveries: d }) {
  const [word, level] = rights[r?.state ?? "unknown"];
  const day = d?.day;
  const counts = [
    ["sent", ""],
    ["retrying", "late"],
    ["failed", "bad"],
  ];
  return html`<tr>
    <td data-label="project" class="nowrap">${project}</td>
    <td data-label="rule">
      <span class="mono">${r?.name ?? d?.rule ?? ""}</span>
      <span class=${level}>${word}</span
      >${r?.enabled === false ? html` <span class="bad">disabled</span>` : nothing}${r?.reason ? html`<div class="bad small wrap">${r.reason}</div>` : nothing}${r?.url ? html`<div class="muted small wrap">${r.url}</div>` : nothing}
    </td>
    <td data-label="arrived" class="nowrap">
      ${d?.sent ? html`${moment(d.sent)} <span class="muted">${age(d.sent)} ago</span>` : html`<span class="muted">none</span>`}
    </td>
    <td data-label="not arrived" class="nowrap">
      ${d?.unsent ? html`<span class=${d.failed ? "bad" : "late"}>${when(d.unsent)}</span>` : html`<span class="muted">none</span>`}
    </td>
    ${counts.map(([n, level]) => html`<td data-label="last day: ${n}" class="n ${day?.[n] ? level : ""}" title=${day ? `since ${when(day.since)}` : ""}>${day ? number(day[n]) : "—"}</td>`)}
  </tr>`;
}
