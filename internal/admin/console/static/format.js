// Words and numbers. Times are shown in UTC, or in local time where the address has tz=local.

import { query } from "./address.js";
import { now as present } from "./api.js";

const local = () => query().get("tz") === "local";
const formats = new Map(); // by their options: to make one takes far longer than to use it, and Live draws a hundred rows at once

function parts(date, options) {
  const all = { hourCycle: "h23", timeZone: local() ? undefined : "UTC", ...options };
  const key = JSON.stringify(all);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-CA", all));
  return formats.get(key).format(date);
}

/** zone is the name of the time zone in use. */
export const zone = () => (local() ? Intl.DateTimeFormat().resolvedOptions().timeZone : "UTC");

/** clock returns a time of day, with milliseconds if asked for. */
export const clock = (at, { millis = false } = {}) =>
  parts(new Date(at), { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: millis ? 3 : undefined });

/** day returns a date. */
export const day = (at) => parts(new Date(at), { year: "numeric", month: "2-digit", day: "2-digit" });

/** when returns a time of day, and the date before it unless that is today. */
export function when(at, { millis = false, now = present() } = {}) {
  if (!at) return "";
  const d = day(at);
  return (d === day(now) ? "" : d + " ") + clock(at, { millis });
}

const units = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** duration returns seconds in words of at most two units: "1 h 10 min", "0.21 s". */
export function duration(seconds) {
  if (seconds === undefined || seconds === null || Number.isNaN(seconds)) return "";
  if (seconds < 0) return "0 s";
  if (seconds < 9.95) return `${seconds < 1 ? seconds.toFixed(2) : seconds.toFixed(1)} s`.replace(/\.0+ /, " ");
  let rest = Math.round(seconds);
  const words = [];
  for (const [size, name] of units) {
    const count = Math.floor(rest / size);
    if (count || words.length) {
      words.push(count && `${count} ${name}`);
      rest -= count * size;
    }
    if (words.length === 2) break;
  }
  return words.filter(Boolean).join(" ");
}

/** age returns how long ago a time was, in words. */
export const age = (at, now = present()) => duration((now - Date.parse(at)) / 1000);

/** number returns an integer with separators. */
export const number = (n) => integers.format(n ?? 0);
const integers = new Intl.NumberFormat("en-US");

/** sentence begins a text of the bridge with a capital letter, unless it begins with a command or a setting. */
export const sentence = (text) =>
  /^(mkio-bridge\b|\w*[A-Z])/.test(text ?? "") ? text : (text ?? "").replace(/^\p{L}/u, (letter) => letter.toUpperCase());

/** plural returns a number with a noun: plural(1, "job") is "1 job". */
export const plural = (n, noun, many = noun + "s") => `${number(n)} ${n === 1 ? noun : many}`;

/** size returns a number of bytes in words. */
export function size(bytes) {
  for (const [limit, name] of [
    [1 << 30, "GiB"],
    [1 << 20, "MiB"],
    [1 << 10, "KiB"],
  ])
    if (bytes >= limit) return `${(bytes / limit).toFixed(1)} ${name}`;
  return plural(bytes, "byte");
}

export const vias = { webhook: "webhook", poll: "poll", history: "delivery history" };
export const viaGlyphs = { webhook: "▲", poll: "◇", history: "■" };

/** resourceOf returns the address of a resource as /v1/events takes it: KIND/PROJECT/NAME…, each name percent-encoded. */
export const resourceOf = ({ kind, project, path }) => [kind, project, ...path].map(encodeURIComponent).join("/");

/** partsOf is the inverse of resourceOf; undefined if the text is none. */
export function partsOf(resource) {
  try {
    const [kind, project, ...path] = (resource ?? "").split("/").map(decodeURIComponent);
    return kind && project && path.length && path.every(Boolean) ? { kind, project, path } : undefined;
  } catch {
    return undefined;
  }
}

/** quote returns a word as a POSIX shell takes it. */
export const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** containing returns a command line whose output has the lines with a part of a name: --name takes a whole one. */
export const containing = (command, part) => (part ? `${command} | grep -F -e ${quote(part)}` : command);

/** shell returns a command line from words; false and empty ones are left out. */
export const shell = (...words) =>
  words
    .flat()
    .filter((w) => w !== undefined && w !== null && w !== "" && w !== false)
    .map((w) => quote(String(w)))
    .join(" ");
