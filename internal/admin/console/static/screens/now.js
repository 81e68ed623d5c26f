// Now: must I act?

import { html, nothing, svg } from "../vendor/lit/lit-html.js";
import { changed, href } from "../address.js";
import { get, now as present } from "../api.js";
import { age, duration, number, plural, sentence, vias, when, clock } from "../format.js";
import { empty, meter, moment } from "../parts.js";
import { sized } from "../sized.js";

const verdicts = [
  ["healthy", "Is it healthy?", { ok: "Healthy", attention: "Look at it today", critical: "Act now" }],
  ["complete", "Is it complete?", { ok: "Complete", attention: "Not proven yet", critical: "Not complete" }],
  ["late", "Is it late?", { ok: "On time", attention: "Partly late", critical: "Late" }],
];

export const now = {
  menu: "Now",
  inMenu: true,
  refresh: 5000,
  title: () => "Now",
  load: (_, { signal }) => get("status", {}, { signal }),
  command: () => "mkio-bridge doctor",
  answer(_, s) {
    const acts = verdicts.map(([name]) => s.verdicts[name].level);
    if (acts.includes("critical")) return "Yes, act now: a verdict below is critical.";
    if (acts.includes("attention")) return "Not at once: something below needs a look within the day.";
    return "Nothing needs you: the log is healthy, complete and on time.";
  },
  badge(s) {
    const levels = verdicts.map(([name]) => s.verdicts[name].level);
    const count = levels.filter((l) => l !== "ok").length;
    return count ? { text: count, level: levels.includes("critical") ? "bad" : "" } : undefined;
  },
  render: (q, s) =>
    html` <div class="cards">${verdicts.map(([name, question, words]) => verdict(question, words, s.verdicts[name]))}</div>
      ${problems(q, s)}
      <div class="grid2">${rate(s)}${figures(s)}</div>
      <div class="grid2">${projects(s)}${bridge(s)}</div>`,
};

function verdict(question, words, v) {
  return html`<section class="card ${v.level}">
    <h2>${question}</h2>
    <div class="verdict">${words[v.level]}</div>
    <p class="wrap">${sentence(v.reason)}</p>
    ${v.level === "ok" ? nothing : html`<div class="do">${v.do ? html`<p class="wrap">${sentence(v.do)}</p>` : nothing}${v.since ? html`<p class="muted nowrap">Since ${when(v.since)}, for ${age(v.since)}</p>` : nothing}</div>`}
  </section>`;
}

/** problems lists what the verdicts name beyond their worst. */
function problems(q, s) {
  const all = verdicts.flatMap(([name]) => s.verdicts[name].problems.map((p) => ({ ...p, verdict: name })));
  const more = all.filter((p) => p.level !== "ok");
  if (!more.length) return nothing;
  more.sort((a, b) => (a.level === b.level ? 0 : a.level === "critical" ? -1 : 1));
  const shown = q.get("all") ? more : more.slice(0, 6);
  return html`<section class="card">
    <h2>Needs a look</h2>
    <div class="scroll">
      <table class="cardlike">
        <thead>
          <tr>
            <th>how urgent</th>
            <th>what</th>
            <th>found</th>
            <th>since</th>
            <th>what to do</th>
          </tr>
        </thead>
        <tbody>
          ${shown.map(
            (p) =>
              html`<tr>
                <td data-label="how urgent">
                  <span class="verdict-word ${p.level === "critical" ? "bad" : "late"}">${p.level === "critical" ? "now" : "today"}</span>
                </td>
                <td data-label="what">${p.check}</td>
                <td data-label="found" class="wrap">${sentence(p.reason)}</td>
                <td data-label="since" class="nowrap">${p.since ? moment(p.since) : nothing}</td>
                <td data-label="what to do" class="wrap muted">${sentence(p.do)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${more.length > 6 ? html`<p class="small"><a href=${changed({ all: q.get("all") ? "" : "1" })}>${q.get("all") ? "Show the first six" : `Show all ${more.length}`}</a></p>` : nothing}
  </section>`;
}

const sources = ["webhook", "poll", "history"];

/** rate shows the events of the last hour by their first source. */
function rate({ events }) {
  const total = sources.reduce((sum, n) => sum + (events.total[n] ?? 0), 0);
  return html`<section class="card">
    <h2>Events of the last hour, by first source</h2>
    <div class="legend">
      ${sources.map((n) => html`<span><i class="swatch via-${n}" aria-hidden="true">■</i>${vias[n]} <strong>${number(events.total[n])}</strong></span>`)}
    </div>
    ${total ? sized((width) => bars(events, width)) : empty("No events in the last hour.", html`If you expect some: see whether <a href=${href({ v: "webhooks" })}>deliveries arrive</a>, and whether every project is polled.`)}
    ${events.partial ? html`<p class="muted small">The bridge that answers has not read the whole hour: there may be more.</p>` : nothing}
  </section>`;
}

function bars(events, width) {
  const count = events.byVia.webhook?.length ?? 0;
  const value = (n, i) => events.byVia[n]?.[i] ?? 0;
  const at = (i) => Date.parse(events.since) + i * events.stepSeconds * 1000;
  const top = niceMax(Math.max(1, ...Array.from({ length: count }, (_, i) => sources.reduce((sum, n) => sum + value(n, i), 0))));
  const height = 170,
    left = 44,
    plot = height - 30;
  const x = (i) => left + (i * (width - left)) / count,
    y = (n) => 6 + plot - (n / top) * plot;
  const stack = (i) => {
    let sum = 0;
    return sources.map((n) => {
      const from = sum;
      sum += value(n, i);
      return sum > from
        ? svg`<rect class="via-${n}" x=${x(i).toFixed(1)} y=${y(sum).toFixed(1)} width=${Math.max(1, (width - left) / count - 2).toFixed(1)} height=${(y(from) - y(sum)).toFixed(1)}><title>${clock(at(i)).slice(0, 5)}: ${number(sum - from)} by ${vias[n]}</title></rect>`
        : nothing;
    });
  };
  return html`<svg
    height=${height}
    viewBox="0 0 ${width} ${height}"
    role="img"
    aria-label="Events each minute of the last hour: ${sources.map((n) => `${number(events.total[n])} by ${vias[n]}`).join(", ")}"
  >
    ${[0, top / 2, top].map((n) => svg`<line class="rule" x1=${left} x2=${width} y1=${y(n)} y2=${y(n)}></line><text x=${left - 8} y=${y(n) + 4} text-anchor="end">${number(n)}</text>`)}
    ${Array.from({ length: count }, (_, i) => stack(i))}
    ${[0, Math.floor(count / 2), count - 1].map((i, k) => svg`<text x=${k === 2 ? width : x(i)} y=${height - 4} text-anchor=${["start", "middle", "end"][k]}>${clock(at(i)).slice(0, 5)}</text>`)}
  </svg>`;
}

function niceMax(n) {
  const unit = 10 ** Math.floor(Math.log10(n));
  return [2, 4, 10].map((f) => f * unit).find((m) => m >= n) ?? n;
}

function figures(s) {
  const motion = Object.values(s.resources.inMotion).reduce((a, b) => a + b, 0);
  const stuck = s.resources.stuck.reduce((sum, g) => sum + g.resources, 0);
  const stored = Object.values(s.unapplied.stored).reduce((a, b) => a + b, 0);
  const { lateness } = s.events;
  return html`<section class="card">
    <h2>In numbers</h2>
    <dl class="figures">
      <div>
        <dt>in motion</dt>
        <dd><a class="figure" href=${href({ v: "resources", phase: "initial,transitional,deleting" })}>${number(motion)}</a></dd>
      </div>
      <div>
        <dt>stuck</dt>
        <dd><a class="figure ${stuck ? "late" : ""}" href=${href({ v: "stuck" })}>${number(stuck)}</a></dd>
      </div>
      <div>
        <dt>unapplied</dt>
        <dd><a class="figure" href=${href({ v: "unapplied" })}>${number(stored)}</a></dd>
      </div>
      <div>
        <dt>open gaps</dt>
        <dd><a class="figure ${s.gaps.length ? "late" : ""}" href=${href({ v: "proof" })}>${number(s.gaps.length)}</a></dd>
      </div>
      <div>
        <dt>half recorded within</dt>
        <dd class="figure">${lateness.events ? duration(lateness.p50Seconds) : "—"}</dd>
      </div>
      <div>
        <dt>95 of 100 within</dt>
        <dd class="figure">${lateness.events ? duration(lateness.p95Seconds) : "—"}</dd>
      </div>
    </dl>
    <p class="muted small">
      Times are from MK.IO's time of a change until it was
      recorded${lateness.late ? html`; ${plural(lateness.late, "event")} took more than ${duration(lateness.limitSeconds)}` : nothing}.
    </p>
  </section>`;
}

function projects(s) {
  if (!s.projects.length)
    return html`<section class="card">
      <h2>Projects</h2>
      ${empty("No project is polled.", "Set BRIDGE_MKIO_TOKEN, so that the bridge polls what webhooks miss.")}
    </section>`;
  return html`<section class="card">
    <h2>Projects: polling and requests to MK.IO in the last minute</h2>
    <div class="scroll">
      <table class="cardlike">
        <thead>
          <tr>
            <th>project</th>
            <th>polled by</th>
            <th class="n">requests</th>
            <th>of the budget</th>
            <th>token ends</th>
          </tr>
        </thead>
        <tbody>
          ${s.projects.map(
            (p) =>
              html`<tr>
                <td data-label="project" class="nowrap">${p.project}</td>
                <td data-label="polled by" class=${p.polled ? "" : "bad"}>
                  ${p.polled ? p.leader || "a bridge of an older version" : "nobody"}${p.paused ? html` <span class="late">${p.paused}</span>` : nothing}${p.identity ? html` <span class="bad">${p.identity}</span>` : nothing}
                </td>
                <td data-label="requests" class="n">${p.budget ? number(p.budget.used) : "—"}</td>
                <td data-label="of the budget">
                  ${p.budget ? html`${meter(p.budget.used / p.budget.perMinute, `${p.budget.used} of ${p.budget.perMinute}`, true)}<span class="muted small">of ${number(p.budget.perMinute)}</span>` : nothing}
                </td>
                <td data-label="token ends" class="nowrap">${p.tokenEnds ? tokenEnd(p.tokenEnds) : html`<span class="muted">not known</span>`}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function tokenEnd(at) {
  const left = (Date.parse(at) - present()) / 1000;
  return left > 0 ? `in ${duration(left)}` : html`<span class="bad">it has ended</span>`;
}

function bridge(s) {
  const { local, log } = s;
  return html`<section class="card">
    <h2>The log, and the bridge that answers</h2>
    <dl class="pairs">
      <dt>log</dt>
      <dd>
        ${log.stream}, events ${number(log.first)} to
        ${number(log.last)}${log.missing ? html`, <span class="bad">${number(log.missing)} missing</span>` : nothing}
      </dd>
      <dt>its identity</dt>
      <dd class="mono">${log.identity || "—"}</dd>
      <dt>bridge</dt>
      <dd>${local.instance}, ${local.version}</dd>
      <dt>ready</dt>
      <dd>${local.ready ? "yes" : html`<span class="bad">no: ${local.reason}</span>`}</dd>
      <dt>NATS</dt>
      <dd>${local.natsConnected ? "connected" : html`<span class="bad">not connected</span>`}</dd>
      <dt>has read</dt>
      <dd>up to event ${number(local.sequence)}</dd>
      <dt>polls</dt>
      <dd>${local.leads.length ? local.leads.join(", ") : "no project now"}</dd>
    </dl>
  </section>`;
}
