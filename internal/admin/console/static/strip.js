// The coverage strip: a row for each project and kind, over time. Filled: proven. Hatched: a gap. Light: the next sweep is not due
// yet. Dotted: cannot be proven, because nothing compares it. Ticks are sweeps.

import { html, nothing, svg } from "./vendor/lit/lit-html.js";
import { clock, day, duration, when } from "./format.js";
import { sized } from "./sized.js";

const rowHeight = 22,
  barHeight = 13,
  axis = 30;

/** strip draws the items of /v1/audit over the period from since to until, in milliseconds. */
export const strip = (items, since, until) =>
  html`<div class="legend">
      <span><i class="swatch proven" aria-hidden="true">■</i>proven</span><span><i class="swatch gap" aria-hidden="true">▨</i>gap</span
      ><span><i class="swatch due" aria-hidden="true">■</i>next sweep not due yet</span
      ><span><i class="swatch never" aria-hidden="true">▒</i>nothing compares it</span><span><i aria-hidden="true">╷</i>a sweep</span>
    </div>
    ${sized((width) => draw(items, since, until, width))}`;

function draw(items, since, until, width) {
  const narrow = width < 560;
  const left = narrow ? 0 : 196;
  const x = (t) => left + ((Math.min(Math.max(t, since), until) - since) / Math.max(until - since, 1)) * (width - left);
  const rows = [];
  let y = 0,
    project;
  for (const item of items) {
    if (item.project !== project) {
      project = item.project;
      rows.push(svg`<text class="strong" x="0" y=${y + 13}>${project}</text>`);
      y += rowHeight;
    }
    if (narrow) {
      rows.push(svg`<text x="0" y=${y + 11}>${item.kind}</text>`);
      y += 16;
    }
    rows.push(row(item, y, left, x, width, narrow));
    y += rowHeight;
  }
  const height = y + axis;
  return html`<svg
    class="strip"
    height=${height}
    viewBox="0 0 ${width} ${height}"
    role="img"
    aria-label="Coverage of ${items.length} kinds from ${when(since)} to ${when(until)}; the table below has the same in words"
  >
    ${svg`<defs><pattern id="gap" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="gap-bed" width="6" height="6"></rect><rect class="gap-line" width="2.400" height="6"></rect></pattern><pattern id="never" width="5" height="5" patternUnits="userSpaceOnUse"><circle class="never-dot" cx="1.500" cy="1.500" r="1"></circle></pattern></defs>`}
    ${grid(since, until, x, y, width)}${rows}
  </svg>`;
}

function row(item, y, left, x, width, narrow) {
  const part = (from, to, kind, title) => {
    const a = x(Date.parse(from)),
      b = x(Date.parse(to));
    return svg`<rect class=${kind} x=${a} y=${y} width=${Math.max(b - a, kind === "gap" ? 3 : 1)} height=${barHeight} rx="1.500"><title>${item.kind} ${title}</title></rect>`;
  };
  const span = (from, to) => `${when(from)} to ${when(to)}, ${duration((Date.parse(to) - Date.parse(from)) / 1000)}`;
  const parts = item.polled
    ? [
        ...item.proven.map((p) => part(p.from, p.to, "proven", `proven: ${span(p.from, p.to)}`)),
        item.pending ? part(item.provenTo, item.to, "due", `not due yet: ${span(item.provenTo, item.to)}`) : nothing,
        ...item.gaps.map((g) => part(g.from, g.to, "gap", `gap: ${span(g.from, g.to)}: ${g.reason}`)),
      ]
    : [part(item.from, item.to, "never", item.reason)];
  return svg`<g>${narrow ? nothing : svg`<text x=${left - 12} y=${y + 11} text-anchor="end">${item.kind}</text>`}${parts}${(item.marks ?? []).map((t) => svg`<line class="sweep" x1=${x(Date.parse(t))} x2=${x(Date.parse(t))} y1=${y + barHeight} y2=${y + barHeight + 3}></line>`)}</g>`;
}

const steps = [5, 10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000];

function grid(since, until, x, bottom, width) {
  const step = 1000 * (steps.find((s) => (until - since) / 1000 / s <= Math.max(2, width / 120)) ?? steps.at(-1));
  const marks = [];
  for (let t = Math.ceil(since / step) * step, end = -Infinity; t <= until; t += step) {
    const text =
      step >= 86400_000 ? day(t).slice(5) : clock(t).startsWith("00:00") ? day(t).slice(5) : step < 60_000 ? clock(t) : clock(t).slice(0, 5);
    const at = x(t);
    marks.push(
      svg`<line class="rule" x1=${at} x2=${at} y1="0" y2=${bottom}></line>${at - 20 > end && at < width - 16 ? svg`<text x=${at} y=${bottom + 16} text-anchor="middle">${text}</text>` : nothing}`,
    );
    if (at - 20 > end) end = at + 22;
  }
  return marks;
}
