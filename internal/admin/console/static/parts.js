// Parts that several screens use. All text goes into text nodes: names are hostile input.

import { html, nothing } from "./vendor/lit/lit-html.js";
import { href } from "./address.js";
import { age, duration, resourceOf, vias, viaGlyphs, when } from "./format.js";

/** state shows a state as glyph, word and colour of its phase. */
export const state = (name, phase) =>
  html`<span class="state p-${phase} ${name.length > 40 ? "long" : ""}" title="phase ${phase}">${name === "" ? "(empty)" : name}</span>`;

/** resourceLink links to the screen of a resource. short leaves kind and project out. */
export const resourceLink = (r, { short = false } = {}) =>
  html`<a href=${href({ v: "resource", resource: resourceOf(r) })}
    >${short ? nothing : html`<span class="muted">${r.kind} ${r.project} / </span>`}${r.path.slice(0, -1).map((p) => html`<span class="muted"><bdi>${p}</bdi> / </span>`)}<bdi
      >${r.path.at(-1)}</bdi
    ></a
  >`;

/** via shows the source of an observation. */
export const via = (name) => html`<span class="nowrap"><span aria-hidden="true">${viaGlyphs[name] ?? "·"}</span> ${vias[name] ?? name}</span>`;

/** moment shows a time with its age in the title. */
export const moment = (at, options) => (at ? html`<time datetime=${at} title="${age(at)} ago">${when(at, options)}</time>` : nothing);

/** lateness shows how long after MK.IO's time an event was recorded; more than limit seconds stands out. */
export const lateness = (seconds, limit = 120) =>
  seconds === undefined
    ? html`<span class="muted" title="MK.IO gave no time">—</span>`
    : html`<span class=${seconds > limit ? "late" : ""}>${duration(seconds)}</span>`;

/** command shows a command, by default the one that gives the same answer, with a button that copies it. */
export const command = (text, what = "the same in a shell") =>
  html`<div class="command">
    <span>${what}</span> <code>${text}</code> <button type="button" @click=${(e) => copy(e.currentTarget, text)}>copy</button>
  </div>`;

/** copy copies a text, and says on the button whether it could: without TLS a browser has no clipboard for pages. */
export async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {
    const code = button.previousElementSibling;
    if (code) getSelection().selectAllChildren(code);
    button.textContent = "selected";
  }
  clearTimeout(button.timer);
  button.timer = setTimeout(() => {
    button.textContent = "copy";
  }, 1500);
}

/** empty says that there is nothing, why, and what to do. */
export const empty = (what, todo) => html`<div class="empty"><strong>${what}</strong>${todo}</div>`;

/** problem shows why something could not be had. */
export const problem = (error, what) =>
  html`<div class="notice critical" role="alert">
    <strong>${what}</strong> ${error.message}${error.retryAfter ? html` Try again in ${error.retryAfter} s.` : nothing}
  </div>`;

const advice = { DoNotRetry: "a retry does not help", MayRetry: "a retry may help" };

/** errors shows what went wrong with a resource, from an event's data.errors. */
export const errors = (list) =>
  list?.length
    ? html`<ul class="errors">
        ${list.map((e) => html`<li>${e.output ? html`<span class="muted">${e.output}: </span>` : nothing}<strong class="bad">${e.code ?? "error"}</strong> ${e.message ?? ""}${e.category ? html` <span class="muted">(${e.category})</span>` : nothing}${e.retry ? html` <span class="muted">· ${advice[e.retry] ?? `retry: ${e.retry}`}</span>` : nothing}</li>`)}
      </ul>`
    : nothing;

/** select is a labelled choice; options are values or [value, word] pairs. A value of the address that is none of them is shown too:
 * it filters. The property is set, not the attribute, which has no effect after a choice by hand. */
export function select(label, value, options, onChange) {
  const pairs = options.map((o) => (Array.isArray(o) ? o : [o, o || "all"]));
  if (!pairs.some(([v]) => v === value)) pairs.push([value, value]);
  return html`<div class="field">
    <label for="f-${label}">${label}</label>
    <select id="f-${label}" @change=${(e) => onChange(e.target.value)}>
      ${pairs.map(([v, word]) => html`<option value=${v} .selected=${v === value}>${word}</option>`)}
    </select>
  </div>`;
}

/** meter shows a share from 0 to 1; with warn, more than four fifths stand out. It is drawn, because the page's policy forbids style attributes. */
export const meter = (ratio, label, warn = false) =>
  html`<svg class="meter ${warn && ratio >= 0.8 ? "attention" : ""}" role="img" aria-label=${label}>
    <rect width="100%" height="6" rx="3"></rect>
    <rect class="used" width="${Math.min(100, Math.max(ratio * 100, ratio > 0 ? 1 : 0)).toFixed(1)}%" height="6" rx="3"></rect>
  </svg>`;

/** progress shows how far a running job is, when it was last polled. */
export const progress = (percent) =>
  percent === undefined
    ? nothing
    : html`<span class="progress" title="when it was last polled">${meter(percent / 100, `${percent} percent`)}<span>${percent} %</span></span>`;

/** sources are the choices of a filter by the source of an observation. */
export const sources = [["", "all"], ...Object.entries(vias)];

/** search is a field to which "/" goes. It follows each letter (onInput), or what was typed (onChange). */
export const search = (label, value, { onInput, onChange }) =>
  html`<div class="field wide">
    <label for="search">${label} <kbd aria-hidden="true">/</kbd></label>
    <input id="search" data-search type="search" autocomplete="off" spellcheck="false" .value=${value ?? ""} @input=${onInput} @change=${onChange} />
  </div>`;

/** gapTable lists periods that are not proven, as {project, kind, from, to, why}; time formats their ends. */
export const gapTable = (gaps, time) =>
  html`<div class="scroll">
    <table class="cardlike">
      <thead>
        <tr>
          <th>project</th>
          <th>kind</th>
          <th>from</th>
          <th>to</th>
          <th class="n">for</th>
          <th>why</th>
        </tr>
      </thead>
      <tbody>
        ${gaps.map(
          (g) =>
            html`<tr>
              <td data-label="project">${g.project}</td>
              <td data-label="kind" class="nowrap">${g.kind}</td>
              <td data-label="from" class="nowrap">${time(g.from)}</td>
              <td data-label="to" class="nowrap">${time(g.to)}</td>
              <td data-label="for" class="n">${duration((Date.parse(g.to) - Date.parse(g.from)) / 1000)}</td>
              <td data-label="why" class="wrap">${g.why}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
