// Resource: what happened to it, and how do we know?

import { html, nothing } from "../vendor/lit/lit-html.js";
import { changed, go, href } from "../address.js";
import { get, now as present } from "../api.js";
import { age, clock, duration, number, partsOf, plural, shell, vias, when } from "../format.js";
import { command, empty, errors, lateness, moment, progress, state, via } from "../parts.js";
import { difference, folded, indented, payloads } from "../stored.js";
import { timeline } from "../timeline.js";

const newest = 200;

export const resource = {
  under: "resources",
  refresh: 5000,
  subject: (q) => q.get("resource"),
  title: (q) => partsOf(q.get("resource"))?.path.at(-1) ?? "Resource",
  async load(q, { signal }) {
    const parts = partsOf(q.get("resource"));
    if (!parts) return { data: undefined, asOf: new Date(), instance: "" };
    const [events, unapplied] = await Promise.all([
      get("events", { follow: "false", resource: q.get("resource"), tail: newest, before: q.get("before"), chain: "true" }, { signal, as: "text" }),
      get("unapplied", { kind: parts.kind, project: parts.project, name: parts.path.at(-1), limit: 20 }, { signal }),
    ]);
    const { items, previous } = JSON.parse(events.data);
    const row = parts.kind === "job" && items.at(-1)?.event.data.phase === "transitional" ? await rowOf(parts, signal) : undefined;
    return {
      ...events,
      data: {
        parts,
        events: items,
        progressPercent: row?.progressPercent,
        previous,
        stored: payloads(events.data),
        unapplied: unapplied.data.items.filter((u) => u.path?.join("/") === parts.path.join("/")),
      },
    };
  },
  command: (q) => partsOf(q.get("resource")) && shell("mkio-bridge", "events", "--resource", q.get("resource")),
  aside(q, data) {
    const parts = data?.parts;
    const last = data?.events.at(-1)?.event;
    return (
      parts &&
      html`<span class="muted wrap">${parts.kind} · ${parts.project}${parts.path.slice(0, -1).map((p) => html` / <bdi>${p}</bdi>`)}</span>
        ${last && !q.get("before") ? html`${state(last.data.state, last.data.phase)} <span class="muted">since ${when(last.time)}, for ${age(last.time)}</span> ${progress(data.progressPercent)}` : nothing}`
    );
  },
  answer(_, data) {
    if (!data?.events.length) return nothing;
    const { events } = data;
    const broken = events.filter((e) => e.chain === "broken").length;
    const sure = events.filter((e) => e.event.data.evidence.timeFrom === "mkio").length;
    const late = events.map(latenessOf).filter((s) => s !== undefined);
    return html`${plural(events.length, "event")}${data.previous ? " (there are earlier ones)" : ""}; MK.IO gave the time of
    ${sure === events.length ? "each" : number(sure)}${late.length ? `, recorded within ${duration(Math.max(...late, 0.01))} of it` : ""}.
    ${broken ? html`<strong class="bad">${plural(broken, "event does", "events do")} not follow from the one before.</strong>` : "The chain of hashes holds."}`;
  },
  render(q, data, context) {
    if (!data)
      return empty(
        "No resource is named.",
        html`Choose one in <a href=${href({ v: "resources" })}>Resources</a>. An address has resource=KIND/PROJECT/NAME.`,
      );
    const { parts, events } = data;
    if (!events.length)
      return empty(
        "The log has no event of this resource.",
        html`Its name may be spelt differently, or its events have passed the age limit of the log. See
          <a href=${href({ v: "resources", kind: parts.kind, project: parts.project })}>the ${parts.kind}s of ${parts.project}</a>.`,
      );
    const selected = events.find((e) => String(e.sequence) === q.get("event")) ?? events.at(-1);
    const select = (sequence) => go(changed({ event: sequence }), { replace: true });
    const last = events.at(-1).event.data;
    return html` ${
        last.errors?.length && !q.get("before")
          ? html`<section class="card">
              <h2>What went wrong</h2>
              ${errors(last.errors)}
            </section>`
          : nothing
      }
      <section class="card">
        <h2>What happened</h2>
        ${timeline(events, { now: q.get("before") ? Date.parse(events.at(-1).event.recordedtime) : present(), selected: selected.sequence, select })}
      </section>
      <div class="grid2">
        <section class="card">
          <h2>Events, newest first</h2>
          ${table(events, selected, select)}
          ${data.previous || q.get("before") ? html`<nav class="row" aria-label="Pages">${q.get("before") ? html`<a class="button" href=${changed({ before: "", event: "" })}>Newest</a>` : nothing}${data.previous ? html`<a class="button" href=${changed({ before: data.previous, event: "" })}>Earlier</a>` : nothing}</nav>` : nothing}
        </section>
        ${payload(q, data, events, selected, context)}
      </div>
      ${unappliedOf(data)} ${q.get("before") ? nothing : waitFor(q, last)}`;
  },
};

/** waitFor shows the command that waits for the end of what a resource is doing. */
function waitFor(q, { kind, phase }) {
  if (!["initial", "transitional", "deleting"].includes(phase)) return nothing;
  const end = phase === "deleting" ? "gone" : kind === "job" || kind === "scheduled-operation" ? "succeeded" : "ready";
  return html`<section class="card">
    <h2>Wait for it</h2>
    ${command(shell("mkio-bridge", "wait", q.get("resource"), "--for-phase", end, "--timeout", "1h"), "in a shell")}
  </section>`;
}

/** rowOf returns the row of a resource, which has the progress of a job. */
async function rowOf({ kind, project, path }, signal) {
  const { data } = await get("resources", { view: "row", kind, project, name: path.at(-1) }, { signal });
  return data.items.find((r) => r.path.join("/") === path.join("/"));
}

/** latenessOf returns seconds from MK.IO's time until an event was recorded; undefined without one, or for what the first sweep found. */
const latenessOf = ({ event }) =>
  event.data.evidence.timeFrom === "mkio" && !event.type.endsWith(".discovered")
    ? Math.max(0, (Date.parse(event.recordedtime) - Date.parse(event.time)) / 1000)
    : undefined;

function table(events, selected, select) {
  return html`<div class="scroll tall">
    <table class="cardlike">
      <thead>
        <tr>
          <th class="n">number</th>
          <th>state</th>
          <th>MK.IO's time</th>
          <th class="n">recorded after</th>
          <th>source</th>
          <th>chain</th>
        </tr>
      </thead>
      <tbody>
        ${events.toReversed().map(
          (e) =>
            html`<tr aria-selected=${e === selected}>
              <td data-label="number" class="n">
                <button
                  type="button"
                  class="plain"
                  aria-label="${e.event.data.transition}: show event ${e.sequence}"
                  @click=${() => select(e.sequence)}
                >
                  ${e.event.data.transition}
                </button>
              </td>
              <td data-label="state">
                ${state(e.event.data.state, e.event.data.phase)}${e.event.data.provisioningState === "Failed" ? html` <span class="bad small">provisioning Failed</span>` : nothing}${e.event.type.endsWith(".discovered") ? html` <span class="muted small" title="it existed before the first sweep">discovered</span>` : nothing}
              </td>
              <td data-label="MK.IO's time">${timeOf(e.event)}</td>
              <td data-label="recorded after" class="n">${lateness(latenessOf(e))}</td>
              <td data-label="source" class="nowrap">${via(e.event.data.via)}</td>
              <td data-label="chain" class="nowrap">${chain(e)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function timeOf({ time, data: { evidence } }) {
  if (evidence.timeFrom === "mkio") return html`<time datetime=${time}>${when(time, { millis: true })}</time>`;
  if (evidence.seenAfter && evidence.seenBefore)
    return html`<span class="muted">between ${when(evidence.seenAfter)} and ${clock(evidence.seenBefore)}</span>`;
  return html`<span class="muted">seen at ${when(time)}</span>`;
}

function chain(e) {
  if (e.chain === "broken") return html`<span class="bad">✕ ${e.chainReason ?? "broken"}</span>`;
  const hash = e.event.data.previousHash?.slice(0, 4);
  if (e.chain === "first") return html`<span class="muted">– first</span>`;
  return html`<span class="good">✓</span>${hash ? html` <span class="mono muted">${hash}…</span>` : nothing}`;
}

function payload(q, { stored }, events, selected, { local }) {
  const at = events.indexOf(selected);
  const before = events[at - 1];
  const view = q.get("show") ?? (before ? "changes" : "event");
  const views = [before && ["changes", "changes"], ["event", "whole event"], ["raw", "as stored"]].filter(Boolean);
  const text = stored.get(selected.sequence) ?? "";
  const shown = `${before?.sequence} ${selected.sequence} ${view}`;
  if (local.shown !== shown)
    Object.assign(local, {
      shown,
      payload: view === "changes" && before ? changes(stored.get(before.sequence) ?? "", text) : whole(view === "raw" ? text : indented(text)),
    });
  return html`<section class="card">
    <h2>Event ${number(selected.sequence)}${before && view === "changes" ? html`, against ${number(before.sequence)}` : nothing}</h2>
    <div class="tabs" role="group" aria-label="how to show the event">
      ${views.map(([name, word]) => html`<a href=${changed({ show: name, event: selected.sequence })} aria-current=${name === view ? "true" : nothing}>${word}</a>`)}
    </div>
    ${local.payload}
    <p class="muted small">
      ${vias[selected.event.data.via] ?? selected.event.data.via}, recorded
      ${moment(selected.event.recordedtime, { millis: true })}${selected.event.data.delivery ? html`, delivery <span class="mono">${selected.event.data.delivery.id}</span>` : nothing}
    </p>
  </section>`;
}

const whole = (text) => html`<pre tabindex="0" aria-label="event">${text}</pre>`;

/** changes shows which lines of an event differ from those of the one before. */
function changes(before, text) {
  const lines = folded(difference(indented(before), indented(text)));
  return html`<pre tabindex="0" aria-label="changes">
${lines.map(([mark, line]) =>
      mark === null
        ? html`<span class="muted"> … ${plural(line, "line")} unchanged </span>`
        : html`<span class=${mark === "+" ? "good" : mark === "-" ? "bad" : ""}>${mark} ${line} </span>`,
    )}</pre>`;
}

const unappliedOf = ({ parts, unapplied }) =>
  unapplied.length
    ? html`<section class="card">
        <h2>Its unapplied deliveries</h2>
        <ul class="errors">
          ${unapplied.map((u) => html`<li><a href=${href({ v: "unapplied", sequence: u.sequence, kind: parts.kind, project: parts.project, name: parts.path.at(-1) })}>${u.reason}</a> <span class="muted">stored ${when(u.stored)}: ${u.detail}</span></li>`)}
        </ul>
      </section>`
    : nothing;
