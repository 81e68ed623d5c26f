// Evidence: the evidence file as a page that prints well.

import { html, nothing } from "../vendor/lit/lit-html.js";
import { href } from "../address.js";
import { get } from "../api.js";
import { clock, day, number, plural, sentence } from "../format.js";
import { empty, gapTable } from "../parts.js";
import { strip } from "../strip.js";
import { auditCommand, chosen, given } from "./proof.js";

const parameters = (q) => ({ ...given(q), job: q.get("job") });
const full = (at) => (at ? `${day(at)} ${clock(at)}` : "");

export const evidence = {
  under: "proof",
  refresh: 0,
  title: (_, e) => `Evidence${e ? `, ${full(e.period.since ?? firstOf(e))} to ${full(e.period.until)}` : ""}`,
  async load(q, { signal }) {
    const file = await get("evidence", parameters(q), { signal, as: "text" });
    return { ...file, data: { ...JSON.parse(file.data), file: file.data, name: file.headers.get("Content-Disposition")?.split("filename=")[1] } };
  },
  command: auditCommand,
  answer(_, e) {
    const v = e.verification;
    const none = !e.coverage.some((c) => c.polled && c.proven.length);
    const proven = none
      ? e.reason
        ? `Nothing is proven in this period: ${e.reason}.`
        : "Nothing is proven in this period yet."
      : e.complete
        ? "All kinds that are polled are proven for the whole period."
        : "The period is not proven for all kinds: the gaps are below.";
    return `${proven} ${v ? (v.wrong ? "The log is not whole." : `The log was whole at ${full(v.ended)}.`) : `The log was not verified: ${e.unverified}.`}`;
  },
  render: (q, e) =>
    html`<div class="row noprint">
        <button type="button" class="primary" @click=${() => print()}>Print</button
        ><button type="button" @click=${() => save(e)}>Download JSON</button
        ><a class="button" href=${href({ v: "proof", ...chosen(q) })}>Back to Proof</a>
      </div>
      <section class="card">
        <h2>What it is about</h2>
        <dl class="pairs">
          <dt>made</dt>
          <dd>${full(e.made.at)} by ${e.made.instance}, mkio-bridge ${e.made.version}</dd>
          <dt>period</dt>
          <dd>${e.period.since ? full(e.period.since) : "each kind from its first sweep"} until ${full(e.period.until)}</dd>
          <dt>about</dt>
          <dd>${e.filters.project ? `project ${e.filters.project}` : "all projects"}, ${e.filters.kind ?? "all kinds"}</dd>
          <dt>log</dt>
          <dd>
            ${e.log.stream}, events ${number(e.log.first)} to
            ${number(e.log.last)}${e.log.missing ? html`, <strong class="bad">${number(e.log.missing)} missing</strong>` : ", none missing"}
          </dd>
          <dt>its identity</dt>
          <dd class="mono">${e.log.identity}</dd>
          <dt>digest of the file</dt>
          <dd class="mono">${e.digest}</dd>
        </dl>
      </section>
      <section class="card">
        <h2>Coverage</h2>
        ${e.coverage.length ? strip(e.coverage, firstOf(e), Math.max(...e.coverage.map((c) => Date.parse(c.to)))) : empty("No sweep is on record.", e.reason)}
      </section>
      <section class="card">
        <h2>Verification of the log</h2>
        ${e.verification ? verification(e.verification) : html`<p>${sentence(e.unverified)}.</p>`}
      </section>
      <section class="card">
        <h2>What is not proven</h2>
        ${notProven(e)}
      </section>
      <section class="card">
        <h2>What this means</h2>
        <ul class="errors">
          ${e.guarantees.map((g) => html`<li>${g}</li>`)}
        </ul>
      </section>
      <section class="card">
        <h2>How to check it again</h2>
        ${e.check.map((c) => html`<pre>${c}</pre>`)}
      </section>`,
};

/** save downloads the file that the page shows. Another request would make another one, with another digest. */
function save({ file, name }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([file], { type: "application/json" }));
  link.download = name ?? "evidence.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

const firstOf = (e) => Math.min(...e.coverage.map((c) => Date.parse(c.from)));

const verification = (v) =>
  html`<div class="verdict ${v.wrong ? "critical" : "ok"}">${v.wrong ? "Not whole" : "Whole"}</div>
    <dl class="pairs">
      <dt>root</dt>
      <dd class="mono">${v.root}</dd>
      <dt>read</dt>
      <dd>${plural(v.events, "event")} of ${plural(v.resources, "resource")}, from ${number(v.first)} to ${number(v.last)}</dd>
      <dt>violations</dt>
      <dd>${number(v.wrong)}</dd>
      <dt>when</dt>
      <dd>${full(v.started)} to ${full(v.ended)}, by ${v.instance}</dd>
      ${
        v.coversPeriod
          ? nothing
          : html`<dt>note</dt>
              <dd class="late">events of the period were stored after this verification</dd>`
      }
    </dl>
    ${
      v.errors.length
        ? html`<ul class="errors">
            ${v.errors.map((x) => html`<li class="bad wrap">${x}</li>`)}
          </ul>`
        : nothing
    }`;

function notProven(e) {
  const gaps = e.coverage.flatMap((c) => (c.polled ? c.gaps.map((g) => ({ ...g, project: c.project, kind: c.kind, why: g.reason })) : []));
  return html`${
    gaps.length
      ? gapTable(gaps, full)
      : html`<p>${e.coverage.some((c) => c.polled) ? "No gap." : "Nothing: no sweep compared anything in this period."}</p>`
  }
  ${e.notProvable.length ? html`<p>Never provable: ${e.notProvable.map((n, i) => html`${i ? "; " : ""}${n.kind}: ${n.reason}`)}.</p>` : nothing}
  ${e.notPolled.length ? html`<p>Not polled: ${e.notPolled.join(", ")}.</p>` : nothing}`;
}
