// Proof: is this period proven, and what is not?

import { html, nothing } from "../vendor/lit/lit-html.js";
import { changed, go, href } from "../address.js";
import { address, get } from "../api.js";
import { age, duration, number, plural, shell, when, zone } from "../format.js";
import { job, latest, progress, start } from "../jobs.js";
import { empty, gapTable, problem, select } from "../parts.js";
import { strip } from "../strip.js";
import { kinds } from "./resources.js";

const periods = [
  ["1h", "the last hour"],
  ["1d", "the last day"],
  ["7d", "the last 7 days"],
  ["30d", "the last 30 days"],
  ["all", "since the first sweep"],
];

/** chosen are the parameters of the period as the address has them. */
export const chosen = (q) => ({ since: q.get("since"), until: q.get("until"), project: q.get("project"), kind: q.get("kind") });

/** given are those parameters as /v1/audit and /v1/evidence take them: without since, each kind begins with its first sweep. */
export const given = (q) => ({ ...chosen(q), since: q.get("since") === "all" ? undefined : (q.get("since") ?? "1d") });

/** auditCommand is the command that writes the evidence of the period into a file. */
export function auditCommand(q) {
  const flags = Object.entries(given(q)).flatMap(([name, value]) => (value ? [`--${name}`, value] : []));
  return shell("mkio-bridge", "audit", flags, "--evidence", "evidence.json");
}

const most = 1000; // kinds of all projects

export const proof = {
  menu: "Proof",
  inMenu: true,
  refresh: 5000,
  title: () => "Proof",
  badge: (s) => (s.gaps.length ? { text: plural(s.gaps.length, "gap"), level: s.verdicts.complete.level === "critical" ? "bad" : "" } : undefined),
  async load(q, { signal }) {
    const [audit, jobs, status] = await Promise.all([
      get("audit", { ...given(q), limit: most, marks: 200 }, { signal }),
      latest("verify", { signal }),
      get("status", {}, { signal }),
    ]);
    const id = q.get("job") ?? jobs[0]?.id;
    const check = id && (await job(id, { signal }));
    const before = jobs.find((j) => j.state === "done")?.id; // its result holds while another verification runs
    const done = check?.state === "done" ? check : before && (await job(before, { signal }));
    const replaced = done && done.result.log !== status.data.log.identity;
    return { ...audit, data: { ...audit.data, check, verified: replaced ? undefined : done, replaced } };
  },
  command: auditCommand,
  answer(_, data) {
    const { items, next } = data;
    const polled = items.filter((i) => i.polled);
    const open = polled.filter((i) => i.gaps.length);
    const chain = html` ${wholeness(data)}${next ? ` Only the first ${number(most)} kinds are looked at: choose a project.` : nothing}`;
    if (!polled.length) return html`Nothing is proven in this period: no sweep is on record.${chain}`;
    if (!polled.some((i) => i.proven.length)) return html`Nothing is proven in this period yet: the next sweep is not due.${chain}`;
    if (!open.length) return html`The period is proven for all ${number(polled.length)} kinds that are polled.${chain}`;
    const missing = Math.max(...open.map((i) => i.gaps.reduce((sum, g) => sum + (Date.parse(g.to) - Date.parse(g.from)) / 1000, 0)));
    return html`<strong class="late">The period is proven but for ${plural(open.length, "kind")} of ${number(polled.length)}</strong>, for at most
      ${duration(missing)}.${chain}`;
  },
  render(q, data, context) {
    const { items, reason } = data;
    const bare = items.filter((i) => i.polled && !i.resources && !i.differed && !i.gaps.length);
    const shown = q.get("bare") || bare.length === items.length ? items : items.filter((i) => !bare.includes(i));
    const since = Math.min(...items.map((i) => Date.parse(i.from))),
      until = Math.max(...items.map((i) => Date.parse(i.to)));
    return html`${filters(q, items)}
      <section class="card">
        <h2>What the sweeps prove</h2>
        <p class="muted small">
          A sweep compares every resource of a kind with MK.IO. Between two of them the log has each state that a webhook or a poll has shown; a gap
          is a time for which that is not sure.
        </p>
        ${shown.length ? strip(shown, since, until) : empty("Nothing to draw.", reason ?? "No sweep is on record for this choice.")}
        ${
          items.some((i) => i.begun)
            ? html`<p class="muted small">
                Nothing was compared before the first sweep, at
                ${when(
                  items
                    .map((i) => i.begun)
                    .filter(Boolean)
                    .sort()[0],
                )}.
              </p>`
            : nothing
        }
        ${bare.length && bare.length < items.length ? html`<p class="small"><a href=${changed({ bare: q.get("bare") ? "" : "1" })}>${q.get("bare") ? "Hide" : "Show"} ${plural(bare.length, "kind")} without a resource and without a gap</a></p>` : nothing}
      </section>
      <div class="grid2">${whole(data, context)}${evidence(q, data)}</div>
      ${items.length ? gaps(items, shown) : nothing}`;
  },
};

const filters = (q, items) =>
  html`<form class="filters" @submit=${(e) => e.preventDefault()}>
    ${select("period", q.get("until") ? "custom" : (q.get("since") ?? "1d"), q.get("until") || !periods.some(([p]) => p === (q.get("since") ?? "1d")) ? [["custom", "from and until"], ...periods] : periods, (since) => since !== "custom" && go(changed({ since, until: "", job: "" })))}
    ${time("from", "since", q)}${time("until", "until", q)}
    ${select("project", q.get("project") ?? "", ["", ...new Set([q.get("project"), ...items.map((i) => i.project)].filter(Boolean))], (project) => go(changed({ project })))}
    ${select("kind", q.get("kind") ?? "", ["", ...kinds], (kind) => go(changed({ kind })))}
  </form>`;

/** minutes returns a time of the address as an input takes it; "" if it is none, or a period such as 1d. */
const minutes = (at) => (/^\d{4}-/.test(at ?? "") && !Number.isNaN(Date.parse(at)) ? new Date(at).toISOString().slice(0, 16) : "");

const time = (label, name, q) =>
  html`<div class="field">
    <label for="f-${name}">${label} (UTC)</label
    ><input
      id="f-${name}"
      type="datetime-local"
      .value=${minutes(q.get(name))}
      @change=${(e) => go(changed({ [name]: e.target.value ? e.target.value + ":00Z" : "" }))}
    />
  </div>`;

/** wholeness says what the newest verification of this log found. */
function wholeness({ check, verified, replaced }) {
  if (verified)
    return verified.result.wrong ? html`<strong class="bad">The log is not whole.</strong>` : `The log was whole ${age(verified.ended)} ago.`;
  if (check?.state === "running") return "The log is being verified.";
  return replaced ? "The last verification was of a log that this one replaced." : "The log was not verified yet.";
}

function whole({ check, verified }, context) {
  const { local, update } = context;
  const run = async () => {
    local.refused = undefined;
    try {
      go(changed({ job: (await start("verify", {})).id }));
    } catch (error) {
      local.refused = error;
      update();
    }
  };
  const r = verified?.result;
  const level = r ? (r.wrong ? "critical" : "ok") : "unsure";
  return html`<section class="card">
    <h2>Is the log whole?</h2>
    <div class="verdict ${level}">${r ? (r.wrong ? "Not whole" : "Whole") : check?.state === "running" ? "Being verified" : "Not known"}</div>
    ${
      r
        ? html`<p class="muted">
              ${plural(r.events, "event")} of ${plural(r.resources, "resource")} were read, from ${number(r.first)} to ${number(r.last)};
              ${r.wrong ? html`<strong class="bad">${plural(r.wrong, "violation")}</strong>.` : "every chain, number and hash holds."}
            </p>
            ${
              r.errors?.length
                ? html`<ul class="errors">
                    ${r.errors.map((e) => html`<li class="bad wrap">${e}</li>`)}
                  </ul>`
                : nothing
            }
            <dl class="pairs">
              <dt>root</dt>
              <dd class="mono">${r.root}</dd>
            </dl>`
        : html`<p class="muted">
            A verification reads the whole log and checks that nothing was changed, removed or added between two events of a resource.
          </p>`
    }
    ${check?.result && check !== verified ? nothing : check ? progress(check) : nothing}${local.refused ? problem(local.refused, "The verification was not started.") : nothing}
    <div class="row"><button type="button" ?disabled=${check?.state === "running"} @click=${run}>Verify now</button></div>
  </section>`;
}

/** evidence links to the file and the page with the period in absolute times, so that both are about the same one, also later. */
function evidence(q, { verified, since, until }) {
  const period = { since: since ?? "all", until, project: q.get("project"), kind: q.get("kind"), job: verified?.id };
  return html`<section class="card">
    <h2>Evidence for an auditor</h2>
    <p>One file with the period, what is proven and what is not, the root of the log, the versions, and how to check all of it again.</p>
    ${verified ? nothing : html`<p class="notice">Verify the log first: without it the file has no root.</p>`}
    <div class="row">
      <a class="button" href=${address("evidence", { ...period, since }).href} download>Download JSON</a
      ><a class="button" href=${href({ v: "evidence", ...period })}>Page to print</a>
    </div>
    <p class="muted small">Later, <code>mkio-bridge verify --evidence FILE</code> compares it with the log as it is then.</p>
  </section>`;
}

function gaps(items, shown) {
  const all = items.flatMap((i) =>
    i.polled ? i.gaps.map((g) => ({ ...g, ...i, from: g.from, to: g.to, why: g.reason })) : [{ ...i, why: i.reason }],
  );
  return html`<section class="card">
    <h2>What is not proven</h2>
    ${
      all.length
        ? gapTable(all, when)
        : items.some((i) => i.proven.length)
          ? empty("Nothing is missing.", "All kinds that are polled are proven for the whole period.")
          : empty("There is no gap, and nothing is proven yet.", "A sweep proves the time since the one before it.")
    }
    ${items.some((i) => i.polled) ? byKind(shown) : nothing}
  </section>`;
}

const byKind = (shown) =>
  html`<h2>By kind</h2>
    <div class="scroll">
      <table class="cardlike">
        <thead>
          <tr>
            <th>project</th>
            <th>kind</th>
            <th>proven to (${zone()})</th>
            <th class="n">sweeps</th>
            <th class="n">resources</th>
            <th class="n">differed</th>
            <th class="n">repaired</th>
          </tr>
        </thead>
        <tbody>
          ${shown
            .filter((i) => i.polled)
            .map(
              (i) =>
                html`<tr>
                  <td data-label="project">${i.project}</td>
                  <td data-label="kind" class="nowrap">${i.kind}</td>
                  <td data-label="proven to" class="nowrap">${when(i.provenTo)}</td>
                  <td data-label="sweeps" class="n">${number(i.sweeps)}</td>
                  <td data-label="resources" class="n">${number(i.resources)}</td>
                  <td data-label="differed" class="n">${number(i.differed)}</td>
                  <td data-label="repaired" class="n">${number(i.repaired)}</td>
                </tr>`,
            )}
        </tbody>
      </table>
    </div>
    <p class="muted small">
      Differed: how often a sweep found a resource whose state in MK.IO was not the log's. Repaired: how often the sweep recorded it itself; else a
      delivery had recorded it meanwhile.
    </p>`;
