// Stuck: what is in its state for too long, compared with what is usual for its kind?

import { html, nothing, svg } from "../vendor/lit/lit-html.js";
import { changed, href } from "../address.js";
import { get } from "../api.js";
import { age, duration, number, plural, shell } from "../format.js";
import { empty, moment, resourceLink, state } from "../parts.js";

const most = 1000,
  shownAtOnce = 100;

export const stuck = {
  menu: "Stuck",
  inMenu: true,
  refresh: 5000,
  cached: true,
  title: () => "Stuck",
  badge(s) {
    const count = s.resources.stuck.reduce((sum, g) => sum + g.resources, 0);
    return count ? { text: number(count) } : undefined;
  },
  async load(q, { signal }) {
    const parameters = { view: "row", limit: most, kind: q.get("kind"), project: q.get("project") };
    const [rows, status] = await Promise.all([
      get("resources", q.get("all") ? { ...parameters, phase: "initial,transitional,deleting" } : { ...parameters, stuck: "true" }, { signal }),
      get("status", {}, { signal }),
    ]);
    const { durations, stuck: groups, inMotion } = status.data.resources;
    const usual = new Map([...durations, ...groups].map((d) => [`${d.kind} ${d.state}`, d]));
    const items = rows.data.items.map((r) => ({
      ...r,
      seconds: r.since ? Math.max(0, (rows.asOf - Date.parse(r.since)) / 1000) : 0,
      usual: usual.get(`${r.kind} ${r.state}`),
    }));
    items.sort((a, b) => share(b) - share(a));
    return { ...rows, data: { items, more: Boolean(rows.data.next), motion: inMotion, groups } };
  },
  command: (q) =>
    shell(
      "mkio-bridge",
      "state",
      q.get("all") ? ["--phase", "initial,transitional,deleting"] : "--stuck",
      q.get("kind") && ["--kind", q.get("kind")],
      q.get("project") && ["--project", q.get("project")],
    ),
  answer(q, { items, more, groups, motion }) {
    const moving = Object.values(motion).reduce((a, b) => a + b, 0);
    const count = groups.reduce((sum, g) => sum + g.resources, 0);
    if (q.get("all"))
      return `${more ? "More than " : ""}${plural(items.length, "resource")} in motion, the longest compared with what is usual first.`;
    return count
      ? `${number(count)} of ${number(moving)} resources in motion ${count === 1 ? "is" : "are"} stuck: in the same state for longer than is usual for kind and state.`
      : `Nothing is stuck: none of the ${plural(moving, "resource")} in motion has passed its limit.`;
  },
  render(q, { items, more }) {
    return html`<div class="tabs" role="group" aria-label="which resources">
        <a href=${changed({ all: "" })} aria-current=${q.get("all") ? nothing : "true"}>stuck</a
        ><a href=${changed({ all: "1" })} aria-current=${q.get("all") ? "true" : nothing}>all in motion</a>
      </div>
      <section class="card">
        ${
          items.length
            ? html`<div class="legend">
                  <span><i class="swatch usual" aria-hidden="true">■</i>usual: from half to 95 of 100</span
                  ><span><i class="swatch limit" aria-hidden="true">┃</i>the limit</span><span><i class="swatch" aria-hidden="true">▬</i>so far</span>
                </div>
                <div class="scroll">
                  <table class="cardlike">
                    <thead>
                      <tr>
                        <th>resource</th>
                        <th>state</th>
                        <th>since</th>
                        <th class="n">for</th>
                        <th>compared with what is usual</th>
                        <th class="n">half</th>
                        <th class="n">95 of 100</th>
                        <th class="n">limit</th>
                      </tr>
                    </thead>
                    <tbody>
                      ${items.slice(0, shownAtOnce).map(
                        (r) =>
                          html`<tr>
                            <td data-label="resource" class="name">${resourceLink(r)}</td>
                            <td data-label="state">${state(r.state, r.phase)}</td>
                            <td data-label="since" class="nowrap">${moment(r.since)}</td>
                            <td data-label="for" class="n ${over(r) ? "late" : ""}">${r.since ? age(r.since) : nothing}</td>
                            <td data-label="compared" class="bullet">${bullet(r)}</td>
                            <td data-label="half" class="n muted">${r.usual?.samples ? duration(r.usual.p50Seconds) : "—"}</td>
                            <td data-label="95 of 100" class="n muted">${r.usual?.samples ? duration(r.usual.p95Seconds) : "—"}</td>
                            <td
                              data-label="limit"
                              class="n muted"
                              title=${r.usual?.learned ? `from ${plural(r.usual.samples, "stay")}` : "the fixed limit of the kind: too few stays are known"}
                            >
                              ${r.usual?.limitSeconds ? duration(r.usual.limitSeconds) : "—"}
                            </td>
                          </tr>`,
                      )}
                    </tbody>
                  </table>
                </div>
                ${more || items.length > shownAtOnce ? html`<p class="muted small">${number(Math.min(shownAtOnce, items.length))} are shown${more ? html`, of the first ${number(most)} by name` : nothing}. Choose a kind or a project in <a href=${href({ v: "resources", phase: "initial,transitional,deleting" })}>Resources</a> for the others.</p>` : nothing}
                ${items.some((r) => over(r)) ? html`<p class="muted">What to do: see the resource's timeline; if MK.IO shows the same state, ask MK.IO's support, or cancel and begin again. If MK.IO shows another state, see whether its project is polled (Now).</p>` : nothing}`
            : empty(
                q.get("all") ? "Nothing is in motion." : "Nothing is stuck.",
                q.get("all")
                  ? "All resources are at rest."
                  : html`The limits are learned from how long states usually last. See <a href=${changed({ all: "1" })}>all in motion</a>.`,
              )
        }
      </section>`;
  },
};

const over = (r) => Boolean(r.usual?.limitSeconds && r.seconds > r.usual.limitSeconds);
const share = (r) => r.seconds / (r.usual?.limitSeconds || Infinity) + r.seconds / 1e12;

/** bullet draws the age of a stay against what is usual, on a scale that ends a little behind the longer of limit and age. */
function bullet(r) {
  if (!r.usual?.limitSeconds) return html`<span class="muted small">nothing to compare with</span>`;
  const { p50Seconds, p95Seconds, limitSeconds, samples } = r.usual;
  const end = Math.max(limitSeconds, Math.min(r.seconds, limitSeconds * 4)) * 1.08;
  const x = (s) => `${((Math.min(s, end) / end) * 100).toFixed(1)}%`;
  return html`<svg height="18" role="img" aria-label="${duration(r.seconds)} of at most ${duration(limitSeconds)}">
    ${svg`<rect class="bed" width="100%" y="2" height="14" rx="2"></rect>
    ${samples ? svg`<rect class="usual" x=${x(p50Seconds)} width="${Math.max(0.8, ((Math.min(p95Seconds, end) - Math.min(p50Seconds, end)) / end) * 100).toFixed(1)}%" y="2" height="14"></rect>` : nothing}
    <rect class=${over(r) ? "sofar over" : "sofar"} width=${x(r.seconds)} y="7" height="4" rx="1"></rect><rect class="limit" x=${x(limitSeconds)} y="0" width="2" height="18"></rect>`}
  </svg>`;
}
