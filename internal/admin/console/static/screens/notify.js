// Notify: do the notifications go out?

import { html, nothing } from "../vendor/lit/lit-html.js";
import { get } from "../api.js";
import { age, number, plural } from "../format.js";
import { empty, moment } from "../parts.js";

export const notify = {
  menu: "Notify",
  inMenu: true,
  refresh: 5000,
  title: () => "Notify",
  load: (_, { signal }) => get("notify", {}, { signal }),
  command: () => "mkio-bridge notify failed list",
  answer(_, { items }) {
    if (!items.length) return "No rule of mkio-bridge notify is known.";
    const idle = items.filter((r) => !r.active),
      failing = items.filter((r) => r.lastError);
    const dead = items.reduce((sum, r) => sum + r.deadLetters, 0);
    const words = [];
    if (idle.length) words.push(`no process runs ${plural(idle.length, "rule")}`);
    if (failing.length) words.push(`the last try of ${plural(failing.length, "rule")} failed`);
    if (dead) words.push(`${plural(dead, "dead letter")} ${dead === 1 ? "is" : "are"} stored`);
    return words.length
      ? html`<strong class="late">Not all: ${words.join(", ")}.</strong>`
      : `Yes: ${plural(items.length, "rule")} ${items.length === 1 ? "runs" : "run"}, and no message waits for another try.`;
  },
  render: (_, { items }) =>
    html`<section class="card">
      ${
        items.length
          ? html`<div class="scroll">
                <table class="cardlike">
                  <thead>
                    <tr>
                      <th>rule</th>
                      <th>events</th>
                      <th>target</th>
                      <th>runs</th>
                      <th class="n">lag</th>
                      <th>last settled</th>
                      <th>last error</th>
                      <th class="n">dead letters</th>
                    </tr>
                  </thead>
                  <tbody>
                    ${items.map(
                      (r) =>
                        html`<tr>
                          <td data-label="rule">
                            <strong><bdi>${r.rule}</bdi></strong>
                          </td>
                          <td data-label="events" class="wrap">${r.filter || "all"}</td>
                          <td data-label="target"><bdi>${r.target}</bdi></td>
                          <td data-label="runs">
                            ${r.active ? html`<span class="good">● yes</span>` : html`<span class="late">◌ no process</span>`}
                          </td>
                          <td data-label="lag" class="n">
                            ${number(r.lag)}${r.held ? html` <span class="muted small">(${number(r.held)} held)</span>` : nothing}
                          </td>
                          <td data-label="last settled" class="nowrap">
                            ${r.lastSettled ? html`${moment(r.lastSettled)} <span class="muted">${age(r.lastSettled)} ago</span>` : html`<span class="muted">never</span>`}
                          </td>
                          <td data-label="last error" class="wrap">
                            ${r.lastError ? html`<span class="bad">${r.lastError}</span> <span class="muted nowrap">${age(r.errorTime)} ago</span>` : html`<span class="muted">none</span>`}
                          </td>
                          <td data-label="dead letters" class="n ${r.deadLetters ? "bad" : ""}">${number(r.deadLetters)}</td>
                        </tr>`,
                    )}
                  </tbody>
                </table>
              </div>
              <p class="muted small">
                Lag: events of the log that a rule has not settled yet, those that its filter leaves out included. Dead letters: what was given up
                after the last try. <code>mkio-bridge notify failed retry</code> sends them again.
              </p>`
          : empty(
              "No rules.",
              html`Notifications are sent by a separate process: <code>mkio-bridge notify --config rules.yaml</code>. Its consumers of the log are
                listed here.`,
            )
      }
    </section>`,
};
