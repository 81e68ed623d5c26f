// Unapplied: what was stored, why, and what would a retry do?

import { html, nothing } from "../vendor/lit/lit-html.js";
import { changed, go, href } from "../address.js";
import { get, send } from "../api.js";
import { number, plural, shell, size, when } from "../format.js";
import { empty, moment, problem, resourceLink, search, select } from "../parts.js";
import { indented } from "../stored.js";
import { kinds } from "./resources.js";

const reasons = {
  late: "older than what is recorded: nothing to do",
  conflict: "no evidence orders it; MK.IO was asked for the state: nothing to do, if the resource is right",
  malformed: "not a delivery of MK.IO's shape: see who sent it",
  unrecognised: "of no known kind, or of a project that is left out: see whether it should be one",
};
const filters = ["reason", "kind", "project", "name"];
const given = (q) => Object.fromEntries(filters.map((f) => [f, q.get(f)]).filter(([, v]) => v));

export const unapplied = {
  menu: "Unapplied",
  inMenu: true,
  refresh: 10_000,
  title: () => "Unapplied",
  badge(s) {
    const count = Object.values(s.unapplied.stored).reduce((a, b) => a + b, 0);
    return count ? { text: number(count), level: "quiet" } : undefined;
  },
  async load(q, { signal }) {
    const sequence = q.get("sequence");
    const [list, one, body] = await Promise.all([
      get("unapplied", { ...given(q), limit: 50, after: q.get("after") }, { signal }),
      sequence ? get(`unapplied/${encodeURIComponent(sequence)}`, {}, { signal }).catch((error) => ({ error })) : undefined,
      sequence ? get(`unapplied/${encodeURIComponent(sequence)}`, { raw: "true" }, { signal, as: "text" }).catch(() => undefined) : undefined,
    ]);
    return { ...list, data: { ...list.data, selected: one?.data, gone: one?.error, body: body?.data } };
  },
  command: (q) =>
    q.get("sequence")
      ? shell("mkio-bridge", "unapplied", "show", q.get("sequence"))
      : shell(
          "mkio-bridge",
          "unapplied",
          "list",
          Object.entries(given(q)).flatMap(([f, v]) => ["--" + f, v]),
        ),
  answer(q, { items, next }, { status }) {
    const stored = status?.unapplied.stored;
    const total = stored && Object.values(stored).reduce((a, b) => a + b, 0);
    if (!items.length && q.get("after")) return "No more deliveries are stored.";
    if (!items.length)
      return Object.keys(given(q)).length
        ? "No stored delivery matches."
        : "No delivery is stored: each became an event, repeated one, or was removed from here.";
    return `${total === undefined ? plural(items.length, "delivery", "deliveries") : plural(total, "delivery is", "deliveries are")} stored that became no event${
      stored
        ? ": " +
          Object.entries(stored)
            .filter(([, n]) => n)
            .map(([reason, n]) => `${number(n)} ${reason}`)
            .join(", ")
        : ""
    }. Nothing that was acknowledged is lost.${next ? " This page is not all." : ""}`;
  },
  render: (q, data, context) =>
    html`<div class="filters">
        ${select("reason", q.get("reason") ?? "", ["", ...Object.keys(reasons)], (reason) => go(changed({ reason, after: "" })))}
        ${select("kind", q.get("kind") ?? "", ["", ...kinds], (kind) => go(changed({ kind, after: "" })))}
        ${search("name", q.get("name"), { onChange: (e) => go(changed({ name: e.target.value, after: "" })) })}
        ${Object.keys(given(q)).length ? html`<a class="button" href=${href({ v: "unapplied" })}>Clear</a>` : nothing}
      </div>
      ${q.get("reason") ? html`<p class="muted">${q.get("reason")}: ${reasons[q.get("reason")]}.</p>` : nothing}
      ${data.items.length ? retries(data.items, context) : nothing}
      <div class=${data.selected || data.gone ? "grid2" : ""}>
        <section class="card">
          ${data.items.length ? list(q, data, context) : empty("Nothing is stored.", Object.keys(given(q)).length ? "Remove a filter, or clear them." : "Deliveries that become no event are stored here with the reason.")}
        </section>
        ${data.gone ? html`<section class="card">${problem(data.gone, `Delivery ${q.get("sequence")} cannot be shown.`)}</section>` : data.selected ? detail(data) : nothing}
      </div>
      ${data.next ? html`<nav class="row" aria-label="Pages"><a class="button" href=${changed({ after: data.next })}>Next page</a></nav>` : nothing}`,
};

const list = (q, { items }, { local }) =>
  html`<div class="scroll">
    <table class="cardlike">
      <thead>
        <tr>
          <th class="n">sequence</th>
          <th>reason</th>
          <th>resource</th>
          <th>stored</th>
          <th>why</th>
          ${local.results ? html`<th>retry</th>` : nothing}
        </tr>
      </thead>
      <tbody>
        ${items.map(
          (u) =>
            html`<tr aria-selected=${String(u.sequence) === q.get("sequence")}>
              <td data-label="sequence" class="n"><a href=${changed({ sequence: u.sequence })}>${u.sequence}</a></td>
              <td data-label="reason">${u.reason}</td>
              <td data-label="resource" class="name">${u.path ? resourceLink(u) : html`<span class="muted">names none</span>`}</td>
              <td data-label="stored" class="nowrap">${moment(u.stored)}</td>
              <td data-label="why" class="wrap muted">${u.detail}</td>
              ${local.results ? html`<td data-label="retry">${outcome(local.results.get(u.sequence))}</td>` : nothing}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;

function outcome(result) {
  if (!result) return nothing;
  if (result.error) return html`<span class="bad">${result.error}</span>`;
  return html`<strong class=${result.applied ? "good" : ""}>${result.outcome}</strong
    >${result.preview ? html` <span class="muted">preview</span>` : result.removed ? html` <span class="muted">removed</span>` : nothing}
    <div class="muted small">${result.why}</div>`;
}

function detail({ selected: u, body }) {
  let text = body ?? "";
  try {
    JSON.parse(text);
    text = indented(text);
  } catch {
    /* not JSON: shown as it is */
  }
  return html`<section class="card">
    <h2>Delivery ${u.sequence}</h2>
    <dl class="pairs">
      <dt>reason</dt>
      <dd>${u.reason}: ${u.detail}</dd>
      <dt>received</dt>
      <dd>${when(u.received, { millis: true })}</dd>
      <dt>length</dt>
      <dd>${size(u.length)}${u.cut ? ", of which the end is not stored" : ""}</dd>
      <dt>digest</dt>
      <dd class="mono">${u.digest}</dd>
    </dl>
    <pre tabindex="0" aria-label="body">${u.bodyBase64 ? u.bodyBase64 : text}</pre>
    <a class="button" href=${changed({ sequence: "" })}>Close</a>
  </section>`;
}

/** retries offers to decide all deliveries of the page again: first a preview, which writes nothing, then for real. */
function retries(items, context) {
  const { local, session } = context;
  const admin = session?.role === "admin";
  const run = local.run;
  const previewed = local.results && items.every((u) => local.results.get(u.sequence)?.preview);
  const would = previewed ? items.filter((u) => local.results.get(u.sequence).applied).length : 0;
  const decided = [...(local.results?.values() ?? [])].filter((r) => !r.preview && !r.error);
  const count = (what) => decided.filter((r) => r[what]).length;
  return html`<section class="card">
    <h2>Decide again</h2>
    <p class="muted">
      A retry decides a stored delivery as if it arrived now: it becomes an event if it changes the recorded state, and is removed when the log has
      its state. The preview shows what would happen.
    </p>
    ${admin ? nothing : html`<p class="notice">Viewers may not retry: sign in with the admin token.</p>`}
    <div class="row">
      <button type="button" ?disabled=${!admin || run} @click=${() => retryAll(items, true, context)}>
        Preview ${plural(items.length, "delivery", "deliveries")}
      </button>
      <button type="button" class="primary" ?disabled=${!admin || run || !previewed} @click=${() => retryAll(items, false, context)}>
        Retry in this order
      </button>
      ${
        run
          ? html`<span role="status">${number(run.done)} of ${number(run.total)}…</span>`
          : previewed
            ? html`<span role="status">${would ? `${plural(would, "event")} would be written.` : "No event would be written."}</span>`
            : decided.length
              ? html`<span role="status"
                  >${plural(decided.length, "delivery was", "deliveries were")} decided again: ${plural(count("applied"), "event")} written,
                  ${number(count("removed"))} removed from here.</span
                >`
              : nothing
      }
    </div>
    ${local.stopped ? html`<p class="notice critical" role="alert"><strong>Stopped:</strong> ${local.stopped}</p>` : nothing}
  </section>`;
}

async function retryAll(items, dryRun, { local, update, reload, signal }) {
  Object.assign(local, { results: new Map(), run: { done: 0, total: items.length }, stopped: undefined });
  update();
  for (const { sequence } of items.toSorted((a, b) => a.sequence - b.sequence)) {
    try {
      const { data } = await send("POST", `unapplied/${sequence}/retry`, dryRun ? { dryRun: "true" } : {}, { signal });
      local.results.set(sequence, { ...data, preview: dryRun });
    } catch (error) {
      if (signal.aborted) return;
      local.results.set(sequence, { error: error.message });
      if (error.status === 503 || error.status === 0 || error.status === 403 || error.status === 401) {
        local.stopped = `${error.message}. The deliveries after ${sequence} were not tried.`;
        break;
      }
    }
    local.run.done++;
    update();
  }
  local.run = undefined;
  update();
  if (!dryRun) reload();
}
