// Setup: is it installed right?

import { html, nothing } from "../vendor/lit/lit-html.js";
import { changed, go } from "../address.js";
import { get } from "../api.js";
import { age, number, plural } from "../format.js";
import { job, latest, progress, start } from "../jobs.js";
import { empty, problem, search } from "../parts.js";

export const setup = {
  menu: "Setup",
  inMenu: true,
  refresh: 3000,
  title: () => "Setup",
  async load(q, { signal }) {
    const [config, jobs] = await Promise.all([get("config", {}, { signal }), latest("doctor", { signal })]);
    const id = q.get("job") ?? jobs[0]?.id;
    const check = id ? await job(id, { signal }) : undefined;
    return { ...config, data: { settings: config.data.local.settings, check } };
  },
  command: () => "mkio-bridge doctor",
  answer(_, { check }) {
    if (!check) return "Not known: no check of this installation is on record. Run one.";
    if (check.state === "running") return "A check is under way.";
    if (check.state === "failed") return "The last check did not end.";
    const { checks, failed, findings } = check.result;
    const warnings = findings.filter((f) => f.grade === "warning").length;
    return failed
      ? html`<strong class="bad">${plural(failed, "check")} of ${number(checks)} failed</strong>, ${age(check.ended)} ago.`
      : `All ${number(checks)} checks passed${warnings ? `, with ${plural(warnings, "warning")}` : ""}, ${age(check.ended)} ago.`;
  },
  render(q, { settings, check }, context) {
    const wanted = Object.entries(settings).filter(([name]) => name.toLowerCase().includes((q.get("setting") ?? "").toLowerCase()));
    const set = wanted.filter(([, value]) => value !== ""),
      unset = wanted.filter(([, value]) => value === "");
    return html`${doctor(check, context)}
      <section class="card">
        <h2>Settings of the bridge that answers</h2>
        <p class="muted small">Secrets are masked. Another bridge may have other settings.</p>
        <div class="filters">
          ${search("name contains", q.get("setting"), { onInput: (e) => go(changed({ setting: e.target.value }), { replace: true }) })}
        </div>
        <dl class="pairs settings">
          ${set.map(
            ([name, value]) =>
              html`<dt class="mono">${name}</dt>
                <dd class="mono">${value}</dd>`,
          )}
        </dl>
        ${unset.length ? html`<p class="muted small wrap">Not set: ${unset.map(([name], i) => html`${i ? ", " : ""}<span class="mono">${name}</span>`)}</p>` : nothing}
      </section>`;
  },
};

const grades = { FAILED: ["✕", "bad"], warning: ["◐", "late"], ok: ["✓", "good"] };

function doctor(check, context) {
  const { session, local, update } = context;
  const run = async () => {
    local.refused = undefined;
    try {
      go(changed({ job: (await start("doctor")).id }));
    } catch (error) {
      local.refused = error;
      update();
    }
  };
  const findings = (check?.result?.findings ?? []).toSorted((a, b) => Object.keys(grades).indexOf(a.grade) - Object.keys(grades).indexOf(b.grade));
  return html`<section class="card">
    <h2>Check of the installation</h2>
    <p class="muted">
      It looks at NATS, streams and permissions, at the token and its rights, and at the webhook rule and its deliveries. It costs requests to MK.IO,
      so it runs only when you ask.
    </p>
    <div class="row">
      <button type="button" class="primary" ?disabled=${session?.role !== "admin" || check?.state === "running"} @click=${run}>Check now</button
      >${session?.role === "admin" ? nothing : html`<span class="muted">Viewers may not start it: sign in with the admin token.</span>`}
    </div>
    ${local.refused ? problem(local.refused, "The check was not started.") : nothing}${check ? progress(check) : nothing}
    ${
      findings.length
        ? html`<div class="scroll">
            <table class="cardlike">
              <thead>
                <tr>
                  <th>result</th>
                  <th>check</th>
                  <th>found</th>
                  <th>what to do</th>
                </tr>
              </thead>
              <tbody>
                ${findings.map(
                  (f) =>
                    html`<tr>
                      <td data-label="result" class="nowrap ${grades[f.grade][1]}">
                        <span aria-hidden="true">${grades[f.grade][0]}</span> ${f.grade === "FAILED" ? "failed" : f.grade}
                      </td>
                      <td data-label="check" class="nowrap">${f.check}</td>
                      <td data-label="found" class="wrap">${f.found}</td>
                      <td data-label="what to do" class="wrap muted">${f.do ?? nothing}</td>
                    </tr>`,
                )}
              </tbody>
            </table>
          </div>`
        : check
          ? nothing
          : empty("No check is on record.", "It takes a few seconds.")
    }
  </section>`;
}
