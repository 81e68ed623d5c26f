// Resources: what is in which state, since when?

import { html, nothing } from "../vendor/lit/lit-html.js";
import { changed, go, href } from "../address.js";
import { get } from "../api.js";
import { age, containing, number, plural, shell, when } from "../format.js";
import { empty, lateness, progress, resourceLink, search, select, sources, state, via } from "../parts.js";

export const kinds = [
  "job",
  "asset",
  "content-key-policy",
  "streaming-locator",
  "streaming-endpoint",
  "live-event",
  "live-output",
  "live-channel",
  "live-api-event",
  "static-multiview-channel",
  "static-multiview-event",
  "scheduled-operation",
  "channel-instance",
  "storage",
  "source",
  "content",
  "destination",
];
export const phases = ["initial", "transitional", "ready", "resting", "succeeded", "failed", "canceled", "deleting", "gone", "unknown"];

const filters = ["kind", "project", "name", "state", "phase", "via"];
const pageSize = 100;
const given = (q) => Object.fromEntries(filters.map((f) => [f, q.get(f) ?? ""]).filter(([, v]) => v));

export const resources = {
  menu: "Resources",
  inMenu: true,
  refresh: 5000,
  cached: true,
  title: () => "Resources",
  load: (q, { signal }) => get("resources", { view: "row", limit: pageSize, after: q.get("after"), ...given(q) }, { signal }),
  command(q) {
    const { name, ...others } = given(q);
    return containing(
      shell(
        "mkio-bridge",
        "state",
        Object.entries(others).flatMap(([f, v]) => ["--" + f, v]),
      ),
      name,
    );
  },
  answer(q, { items, next }) {
    const f = given(q);
    const words = Object.keys(f).length ? "match" : "are known";
    if (!items.length) return q.get("after") ? "No more resources." : `No resources ${words}.`;
    return `${q.get("after") || next ? `${number(items.length)} of the resources that ${words} are on this page` : `${plural(items.length, "resource")} ${items.length === 1 ? words.replace("match", "matches").replace("are", "is") : words}`}, in the order of their names.`;
  },
  render: (q, { items, next }, context) =>
    html` <form class="filters" role="search" @submit=${(e) => e.preventDefault()}>
        ${search("name contains", q.get("name"), { onInput: (e) => typed(e.target, context) })}
        ${select("kind", q.get("kind") ?? "", ["", ...kinds], (kind) => go(changed({ kind, after: "" })))}
        ${select("phase", q.get("phase") ?? "", [["", "all"], ["initial,transitional,deleting", "in motion"], ...phases.map((p) => [p, p])], (phase) => go(changed({ phase, after: "" })))}
        ${select("source", q.get("via") ?? "", sources, (v) => go(changed({ via: v, after: "" })))}
        ${textFilter("project", q)}${textFilter("state", q)}
        ${Object.keys(given(q)).length ? html`<a class="button" href=${href({ v: "resources" })}>Clear</a>` : nothing}
      </form>
      <section class="card">
        ${
          items.length
            ? html`<div class="scroll">
                <table class="cardlike">
                  <thead>
                    <tr>
                      <th>kind</th>
                      <th>project</th>
                      <th>name</th>
                      <th>state</th>
                      <th>since</th>
                      <th class="n">for</th>
                      <th>source</th>
                      <th class="n">recorded after</th>
                    </tr>
                  </thead>
                  <tbody>
                    ${items.map(
                      (r) =>
                        html`<tr>
                          <td data-label="kind" class="nowrap">${r.kind}</td>
                          <td data-label="project" class="nowrap">${r.project}</td>
                          <td data-label="name" class="name">${resourceLink(r, { short: true })}</td>
                          <td data-label="state">
                            ${state(r.state, r.phase)}${progress(r.progressPercent)}${r.provisioningState === "Failed" ? html` <span class="bad small">provisioning Failed</span>` : nothing}
                          </td>
                          <td data-label="since" class="nowrap">
                            ${r.since ? html`<time datetime=${r.since}>${when(r.since)}</time>` : html`<span class="muted">—</span>`}
                          </td>
                          <td data-label="for" class="n muted">${r.since ? age(r.since) : nothing}</td>
                          <td data-label="source" class="muted">${via(r.via)}</td>
                          <td data-label="recorded after" class="n">${lateness(r.latenessSeconds, Infinity)}</td>
                        </tr>`,
                    )}
                  </tbody>
                </table>
              </div>`
            : empty(
                "Nothing here.",
                Object.keys(given(q)).length
                  ? "No resource matches all filters. Remove one, or clear them."
                  : "The log has no events yet. They come with the first delivery, or with the first sweep of a project.",
              )
        }
      </section>
      ${next || q.get("after") ? html`<nav class="row" aria-label="Pages">${q.get("after") ? html`<a class="button" href=${changed({ after: "" })}>First page</a>` : nothing}${next ? html`<a class="button" href=${changed({ after: next })}>Next page</a>` : nothing}</nav>` : nothing}`,
};

const textFilter = (name, q) =>
  html`<div class="field">
    <label for="f-${name}">${name}</label
    ><input
      id="f-${name}"
      size="10"
      autocomplete="off"
      spellcheck="false"
      .value=${q.get(name) ?? ""}
      @change=${(e) => go(changed({ [name]: e.target.value.trim(), after: "" }))}
    />
  </div>`;

/** typed searches when someone has stopped typing for a moment. The address is replaced: back leaves the screen. */
function typed(input, { local, signal }) {
  clearTimeout(local.typing);
  local.typing = setTimeout(() => signal.aborted || go(changed({ name: input.value, after: "" }), { replace: true }), 120);
}
