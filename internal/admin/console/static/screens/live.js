// Live: what is happening now?

import { html, nothing } from "../vendor/lit/lit-html.js";
import { repeat } from "../vendor/lit/directives/repeat.js";
import { changed, go, href } from "../address.js";
import { get, now as present } from "../api.js";
import { clock, containing, number, plural, resourceOf, shell } from "../format.js";
import { empty, lateness, resourceLink, search, select, sources, state, via } from "../parts.js";
import { listen } from "../stream.js";
import { kinds, phases } from "./resources.js";

const ringSize = 2000; // events that are kept
const shownAtOnce = 100;

const filters = ["kind", "project", "name", "phase", "via"];
const given = (q) => Object.fromEntries(filters.map((f) => [f, q.get(f)]).filter(([, v]) => v));

/** matches reports whether an event passes the filters of the address. name matches a part of the name. */
function matches(e, f) {
  return (
    (!f.kind || e.kind === f.kind) &&
    (!f.project || e.project === f.project) &&
    (!f.phase || e.phase === f.phase) &&
    (!f.via || e.via === f.via) &&
    (!f.name || e.path.at(-1).includes(f.name))
  );
}

export const live = {
  menu: "Live",
  inMenu: true,
  refresh: 0,
  title: () => "Live",
  // The stream is the answer: what it says is not asked for.
  load: () => Promise.resolve({ data: {}, asOf: new Date(), instance: "" }),
  asOf: ({ local: { connection: c } }) => ({
    at: c.state === "connecting" ? undefined : new Date(c.state === "open" ? present() : c.since),
    instance: c.instance,
  }),
  open(context) {
    const { local } = context;
    Object.assign(local, { ring: [], seen: 0, paused: undefined, missed: 0, connection: { state: "connecting", since: Date.now() } });
    listen((message) => {
      if (message.connection) {
        local.connection = message.connection;
        if (message.connection.state === "signedOut") get("session").catch(() => {}); // the page asks for the token
      }
      if (message.gap) {
        local.gap = message.gap;
        if (message.gap.recreated) Object.assign(local, { ring: [], paused: undefined }); // sequences begin again
      }
      if (message.events) {
        local.seen += message.events.length;
        local.lastAt = Date.now();
        if (local.paused) local.missed += message.events.length;
        local.ring = local.ring.concat(message.events).slice(-ringSize);
      }
      context.update();
    }, context.signal);
  },
  command(q) {
    const { name, ...others } = given(q);
    return containing(
      shell(
        "mkio-bridge",
        "events",
        "--follow",
        Object.entries(others).flatMap(([f, v]) => ["--" + f, v]),
      ),
      name,
    );
  },
  answer: (_, __, { local }) =>
    html`${local.seen ? html`${plural(local.seen, "event")} since this screen was opened.` : "No event since this screen was opened."}
    ${local.paused ? html`<strong>Paused: ${plural(local.missed, "event")} since then.</strong>` : nothing}`,
  render(q, _, { local, update }) {
    const f = given(q);
    const source = local.paused ?? local.ring;
    const rows = [];
    for (let i = source.length - 1; i >= 0 && rows.length < shownAtOnce; i--) if (matches(source[i], f)) rows.push(source[i]);
    const pause = () => {
      local.paused = local.paused ? undefined : local.ring;
      local.missed = 0;
      update();
    };
    return html`${connectionNotice(local)}${gapNotice(local)}
      <form class="filters" role="search" @submit=${(e) => e.preventDefault()}>
        <button type="button" class=${local.paused ? "primary" : ""} @click=${pause}>
          ${local.paused ? `Go on (${number(local.missed)} new)` : "Pause"}
        </button>
        ${search("name contains", q.get("name"), { onInput: (e) => go(changed({ name: e.target.value }), { replace: true }) })}
        ${select("kind", q.get("kind") ?? "", ["", ...kinds], (kind) => go(changed({ kind })))}
        ${select("phase", q.get("phase") ?? "", ["", ...phases], (phase) => go(changed({ phase })))}
        ${select("source", q.get("via") ?? "", sources, (v) => go(changed({ via: v })))}
        ${Object.keys(f).length ? html`<a class="button" href=${href({ v: "live" })}>Clear</a>` : nothing}
      </form>
      <section class="card ${local.connection.state === "open" ? "" : "stale"}">
        ${
          rows.length
            ? html`<div class="scroll">
                  <table class="cardlike">
                    <thead>
                      <tr>
                        <th>recorded</th>
                        <th>resource</th>
                        <th>from</th>
                        <th>to</th>
                        <th>source</th>
                        <th class="n">after</th>
                      </tr>
                    </thead>
                    <tbody>
                      ${repeat(
                        rows,
                        (e) => e.sequence,
                        (e) =>
                          html`<tr>
                            <td data-label="recorded" class="nowrap mono">${clock(e.recorded, { millis: true })}</td>
                            <td data-label="resource" class="name">${resourceLink(e)}</td>
                            <td data-label="from" class="muted">
                              ${e.previousState === undefined ? (e.discovered ? "discovered" : "new") : state(e.previousState, e.previousPhase)}
                            </td>
                            <td data-label="to">
                              <a class="quiet" href=${href({ v: "resource", resource: resourceOf(e), event: e.sequence })}
                                >${state(e.state, e.phase)}</a
                              >${e.errors?.length ? html` <span class="bad small">${e.errors[0].code ?? ""}</span>` : nothing}
                            </td>
                            <td data-label="source" class="muted">${via(e.via)}</td>
                            <td data-label="after" class="n">${lateness(e.discovered ? undefined : e.latenessSeconds)}</td>
                          </tr>`,
                      )}
                    </tbody>
                  </table>
                </div>
                ${source.length > rows.length ? html`<p class="muted small">The newest ${number(rows.length)}${Object.keys(f).length ? " that match" : ""}; ${number(source.length)} are kept here. All are in the log.</p>` : nothing}`
            : empty(
                source.length ? "No event matches." : "Waiting for the next event.",
                source.length
                  ? "Remove a filter, or wait."
                  : html`Past events are in <a href=${href({ v: "resources" })}>Resources</a>, and in the log.`,
              )
        }
      </section>`;
  },
};

function connectionNotice({ connection }) {
  const { state: s, since, reason } = connection;
  if (s === "open")
    return html`<p class="small good" role="status">
      ● Connected${connection.instance ? html` to ${connection.instance}` : nothing} since ${clock(since)}
    </p>`;
  if (s === "signedOut") return html`<div class="notice critical" role="alert"><strong>The session has ended.</strong> ${reason}</div>`;
  if (s === "connecting") return html`<p class="small muted" role="status">Connecting…</p>`;
  return html`<div class="notice critical" role="alert">
    <strong>No stream since ${clock(since)}:</strong> ${reason}. It resumes after the last event, so that none is missed.
  </div>`;
}

/** gapNotice says that events are missing on the screen. */
function gapNotice({ gap }) {
  if (!gap) return nothing;
  const [what, why] = gap.recreated
    ? ["The log was recreated", "Events of the former log are not shown any more, and the first of the new one may be missing here."]
    : ["Events are missing here", gap.asleep ? "This tab was asleep." : "The log no longer has the event after the last one shown."];
  return html`<div class="notice" role="status">
    <strong>${what}, seen at ${clock(gap.at)}.</strong> ${why} <a href=${href({ v: "resources" })}>Resources</a> has the present states.
  </div>`;
}
