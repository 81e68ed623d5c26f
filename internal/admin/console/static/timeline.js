// The timeline of a resource: a row for each life, a bar for each state. A bar begins where MK.IO says so. Where only a poll's
// window is known, it is hatched from the last poll that showed the former state until the first one that showed this one.
// Below it are a mark of the source at the time of the recording, and a line from MK.IO's time to it: the lateness.

import { html, nothing, svg } from "./vendor/lit/lit-html.js";
import { now as present } from "./api.js";
import { clock, day, duration, vias, when } from "./format.js";
import { sized } from "./sized.js";

const mostLives = 8; // that are drawn, the newest
const rowHeight = 74,
  barTop = 22,
  barHeight = 26,
  top = 8,
  axis = 26;

/** staysOf returns what the events say as stays: {event, from, sure, to, recorded, known}, times in milliseconds. from to sure is
 * the window of the beginning; known says that MK.IO gave the time. */
export function staysOf(events, now) {
  return events.map((e, i) => {
    const { data, time, recordedtime } = e.event;
    const known = data.evidence.timeFrom === "mkio";
    const sure = Date.parse(known ? time : (data.evidence.seenBefore ?? time));
    const after = Date.parse(data.evidence.seenAfter ?? "");
    const next = events[i + 1]?.event;
    const end = next && Date.parse(next.data.evidence.timeFrom === "mkio" ? next.time : (next.data.evidence.seenBefore ?? next.time));
    return {
      sequence: e.sequence,
      chain: e.chain,
      discovered: e.event.type.endsWith(".discovered"),
      data,
      known,
      sure,
      from: known || Number.isNaN(after) ? sure : Math.min(after, sure),
      to: Math.max(end ?? now, sure),
      last: !next,
      recorded: Date.parse(recordedtime),
    };
  });
}

/** livesOf groups stays by the life of the resource. A Deleted ends the life before it. */
export function livesOf(stays) {
  const lives = [];
  for (const stay of stays) {
    const life = stay.data.evidence.life ?? "";
    const current = lives.at(-1);
    const over = current?.stays.at(-1).data.phase === "gone";
    if (!current || over || (stay.data.phase !== "gone" && life && current.life && life !== current.life)) lives.push({ life, stays: [stay] });
    else {
      current.stays.push(stay);
      current.life ||= life;
    }
  }
  return lives;
}

/** scaleOf maps times to positions from 0 to 1. A period that is longer than all others together is cut short, and is a break. */
export function scaleOf(times) {
  const at = [...new Set(times.filter((t) => !Number.isNaN(t)))].sort((a, b) => a - b);
  const weights = at.slice(1).map((t, i) => Math.max(t - at[i], 1));
  const broken = weights.map(() => false);
  for (let cut = 0; cut < weights.length; cut++) {
    const longest = weights.reduce((best, w, i) => (!broken[i] && (best < 0 || w > weights[best]) ? i : best), -1);
    const others = weights.reduce((sum, w, i) => sum + (i === longest ? 0 : w), 0);
    if (longest < 0 || weights[longest] <= others || others === 0) break;
    weights[longest] = Math.max(others * 0.5, 1);
    broken[longest] = true;
  }
  const total = weights.reduce((a, b) => a + b, 0) || 1;
  const positions = [0];
  for (const w of weights) positions.push(positions.at(-1) + w / total);
  const position = (t) => {
    if (t <= at[0]) return 0;
    for (let i = 1; i < at.length; i++)
      if (t <= at[i]) return positions[i - 1] + ((t - at[i - 1]) / (at[i] - at[i - 1])) * (positions[i] - positions[i - 1]);
    return 1;
  };
  return {
    position,
    breaks: broken.flatMap((b, i) => (b ? [{ from: at[i], to: at[i + 1], at: (positions[i] + positions[i + 1]) / 2 }] : [])),
    first: at[0],
    last: at.at(-1),
  };
}

/** timeline draws events of one resource, oldest first. selected is a sequence, select is called with one. */
export function timeline(events, { now, selected, select }) {
  const all = livesOf(staysOf(events, now));
  const lives = all.slice(-mostLives);
  const stays = lives.flatMap((l) => l.stays);
  return html`${legend(stays)}${sized((width) => draw(lives, stays, width, { now, selected, select, before: all.length - lives.length }))}
  ${all.length > lives.length ? html`<p class="muted small">The newest ${mostLives} of ${all.length} lives are drawn.</p>` : nothing}`;
}

/** isLate reports whether a stay has a lateness to draw. What existed before the first sweep was not recorded late. */
const isLate = (stay) => stay.known && !stay.discovered && stay.recorded - stay.sure > 1000;

function legend(stays) {
  const used = new Set(stays.map((s) => s.data.via));
  return html`<div class="legend">
    ${[...used].map((v) => html`<span><i aria-hidden="true">${{ webhook: "▲", poll: "◇", history: "■" }[v]}</i>recorded from ${vias[v] ?? v}</span>`)}
    ${stays.some((s) => s.from < s.sure) ? html`<span><i aria-hidden="true">▨</i>the change lies between two polls</span>` : nothing}
    ${stays.some(isLate) ? html`<span><i class="late" aria-hidden="true">━</i>MK.IO's time until it was recorded</span>` : nothing}
  </div>`;
}

function draw(lives, stays, width, options) {
  const left = width < 560 ? 0 : 96,
    right = 12;
  const scale = scaleOf([...stays.flatMap((s) => [s.from, s.sure, isLate(s) ? s.recorded : s.sure]), options.now]);
  const x = (t) => left + scale.position(t) * (width - left - right);
  const height = top + lives.length * rowHeight + axis;
  return html`<svg
    class="timeline"
    height=${height}
    viewBox="0 0 ${width} ${height}"
    role="group"
    aria-label="Timeline of ${stays.length} events in ${lives.length} lives"
  >
    ${svg`<defs>${[...new Set(stays.map((s) => s.data.phase))].map((p) => svg`<pattern id="hatch-${p}" class="p-${p}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-bed" width="6" height="6"></rect><rect class="hatch-line" width="2" height="6"></rect></pattern>`)}</defs>`}
    ${ticks(scale, x, height, width)} ${lives.map((life, i) => row(life, i, lives.length, top + i * rowHeight, x, width, left, options))}
  </svg>`;
}

function ticks(scale, x, height, width) {
  const bottom = height - axis + 6;
  const marks = [];
  let end = -Infinity;
  const times = [...candidates(scale, width)];
  for (const [i, t] of times.entries()) {
    const at = x(t),
      anchor = i === 0 ? "start" : at > width - 60 ? "end" : "middle";
    const begin = anchor === "start" ? at : anchor === "end" ? at - 62 : at - 31;
    if (begin < end + 8) continue;
    end = begin + 62;
    marks.push(
      svg`<line class="rule" x1=${at} x2=${at} y1=${top} y2=${bottom}></line><text x=${at} y=${bottom + 15} text-anchor=${anchor}>${label(t, i === 0 || day(t) !== day(times[i - 1]))}</text>`,
    );
  }
  return svg`${marks}${scale.breaks.map((b) => svg`<g class="break"><line x1=${x((b.from + b.to) / 2) - 3} x2=${x((b.from + b.to) / 2) + 1} y1=${bottom + 3} y2=${bottom - 7}></line><line x1=${x((b.from + b.to) / 2) + 1} x2=${x((b.from + b.to) / 2) + 5} y1=${bottom + 3} y2=${bottom - 7}></line><title>${duration((b.to - b.from) / 1000)} are drawn short</title></g>`)}`;
}

const label = (t, dated) => (dated && day(t) !== day(present()) ? `${day(t).slice(5)} ${clock(t).slice(0, 5)}` : clock(t));

/** candidates are round times, about one for each 110 pixels; where the scale is broken, the ends of the breaks. */
function* candidates(scale, width) {
  const covered = (scale.last - scale.first - scale.breaks.reduce((sum, b) => sum + b.to - b.from, 0)) / 1000;
  const step =
    1000 *
    ([1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800].find(
      (s) => covered / s <= Math.max(2, width / 110),
    ) ?? 2592000);
  yield scale.first;
  let t = Math.ceil((scale.first + 1) / step) * step;
  while (t < scale.last) {
    const gap = scale.breaks.find((b) => t > b.from && t < b.to);
    if (gap) {
      yield gap.to;
      t = Math.floor(gap.to / step) * step + step;
    } else {
      yield t;
      t += step;
    }
  }
  yield scale.last;
}

function row(life, i, count, y, x, width, left, options) {
  const labels = { end: -Infinity }; // of the names above bars that are too short for them: where the last one ends
  return svg`<g>${left && (count > 1 || life.life) ? svg`<text class="strong" x="0" y=${y + barTop + 11}>${count + options.before > 1 ? `life ${options.before + i + 1}` : "its life"}</text><text class="mono" x="0" y=${y + barTop + 27}>${life.life.length > 12 ? life.life.slice(0, 4) + "…" + life.life.slice(-4) : life.life}<title>${life.life}</title></text>` : nothing}
    ${life.stays.map((stay, k) => bar(stay, life.stays[k + 1], y + barTop, x, width, options, labels))}</g>`;
}

function bar(stay, next, y, x, width, { selected, select }, labels) {
  const { data, sequence } = stay;
  const gone = data.phase === "gone";
  const from = x(stay.from),
    sure = x(stay.sure),
    to = gone ? sure : Math.max(x(next ? Math.max(next.from, stay.sure) : stay.to), sure + 3);
  const name = data.state === "" ? "(empty)" : data.state;
  const inside = to - sure > name.length * 7.6 + 12;
  const said = `${name}, event ${sequence}: ${stay.known ? `since ${when(stay.sure, { millis: true })} by MK.IO's clock` : stay.from < stay.sure ? `began between ${when(stay.from)} and ${when(stay.sure)}` : `seen at ${when(stay.sure)}`}, ${stay.discovered ? "discovered by the first sweep" : "recorded"} ${stay.known && !stay.discovered ? `${duration((stay.recorded - stay.sure) / 1000)} later ` : ""}from ${vias[data.via] ?? data.via}${stay.chain === "broken" ? "; its chain is broken" : ""}`;
  const above = !gone && !inside && fits(labels, Math.min(sure, width - name.length * 7), name.length * 7.6);
  const marked = x(Math.max(stay.recorded, stay.sure));
  const choose = (event) => {
    if (event.type === "click" || event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      select(sequence);
    }
  };
  return svg`<g class="stay p-${data.phase} ${sequence === selected ? "selected" : ""}" role="button" tabindex="0" @click=${choose} @keydown=${choose}><title>${said}</title>
    ${stay.from < stay.sure ? svg`<rect class="window" x=${from} y=${y} width=${Math.max(sure - from, 2)} height=${barHeight} fill="url(#hatch-${data.phase})"></rect>` : nothing}
    ${
      gone
        ? svg`<line class="end" x1=${sure} x2=${sure} y1=${y - 5} y2=${y + barHeight + 5}></line><text aria-hidden="true" class="outside" x=${Math.min(sure + 6, width - 52)} y=${y + 17}>${name}</text>`
        : svg`<rect class="bed" x=${sure} y=${y} width=${to - sure} height=${barHeight} rx="3"></rect><rect class="edge" x=${sure} y=${y} width="3" height=${barHeight} rx="1.500"></rect>
      ${inside ? svg`<text aria-hidden="true" class="inside" x=${sure + 9} y=${y + 17.5}>${name}</text>` : above ? svg`<text aria-hidden="true" class="outside" x=${Math.min(sure, width - name.length * 7)} y=${y - 6}>${name}</text>` : nothing}`
    }
    ${isLate(stay) && marked - sure > 1 ? svg`<line class="lateness" x1=${sure} x2=${marked} y1=${y + barHeight + 11} y2=${y + barHeight + 11}></line>` : nothing}
    ${mark(data.via, marked, y + barHeight + 11)}
    ${stay.chain === "broken" ? svg`<text aria-hidden="true" class="broken" x=${marked + 7} y=${y + barHeight + 15}>✕ chain</text>` : nothing}</g>`;
}

/** fits reserves the place of a name, unless another one is there. */
function fits(labels, from, width) {
  if (from < labels.end + 5) return false;
  labels.end = from + width;
  return true;
}

function mark(via, x, y) {
  if (via === "webhook") return svg`<path class="mark" d="M${x} ${y - 5}l5 9h-10z"></path>`;
  if (via === "poll") return svg`<rect class="mark hollow" x=${x - 3.5} y=${y - 3.5} width="7" height="7" transform="rotate(45 ${x} ${y})"></rect>`;
  return svg`<rect class="mark" x=${x - 4} y=${y - 4} width="8" height="8"></rect>`;
}
