// Payloads as they are stored. A payload is never parsed and printed again, which would round big numbers: it is cut out of the
// answer, and only white space is put between its tokens.

const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** payloads returns the member "event" of each item of an answer {"items": […]}, as text, by its sequence. */
export function payloads(answer) {
  const found = new Map();
  let depth = 0,
    name = "",
    key = "",
    start = -1,
    sequence;
  for (const match of answer.matchAll(tokens)) {
    const token = match[0];
    if (token === "{" || token === "[") {
      if (depth === 3 && name === "event" && start < 0) start = match.index;
      depth++;
    } else if (token === "}" || token === "]") {
      depth--;
      if (depth === 3 && start >= 0) {
        found.set(sequence, answer.slice(start, match.index + 1));
        start = -1;
        name = "";
      }
    } else if (depth === 3 && token === ":") {
      name = key;
    } else if (depth === 3 && token === ",") {
      name = "";
    } else if (depth === 3) {
      if (name === "sequence") sequence = Number(token);
      else key = token.slice(1, -1);
    }
  }
  return found;
}

/** indented returns JSON with one member a line. Its tokens are those of the text. */
export function indented(text) {
  let out = "",
    depth = 0,
    previous = "";
  const line = () => "\n" + "  ".repeat(depth);
  for (const [token] of text.matchAll(tokens)) {
    if (token === "}" || token === "]") {
      depth--;
      if (previous !== "{" && previous !== "[") out += line();
    } else if (previous === "{" || previous === "[" || previous === ",") out += line();
    out += token === ":" ? ": " : token;
    if (token === "{" || token === "[") depth++;
    previous = token;
  }
  return out;
}

/** difference compares texts line by line: [[" ", "-" or "+", line], …]. */
export function difference(before, after) {
  const a = before.split("\n"),
    b = after.split("\n");
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const middle = between(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const same = (lines) => lines.map((line) => [" ", line]);
  return [...same(a.slice(0, head)), ...middle, ...same(tail ? a.slice(-tail) : [])];
}

/** between is the difference by the longest common subsequence; of very long texts, all of one and then all of the other. */
function between(a, b) {
  if (a.length * b.length > 1e6) return [...a.map((line) => ["-", line]), ...b.map((line) => ["+", line])];
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
  const out = [];
  let i = 0,
    j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push([" ", a[i]]);
      i++;
      j++;
    } else if (i < a.length && (j === b.length || lengths[i + 1][j] >= lengths[i][j + 1])) out.push(["-", a[i++]]);
    else out.push(["+", b[j++]]);
  }
  return out;
}

/** folded leaves out unchanged lines that are more than context lines away from a change: they become [null, count]. */
export function folded(lines, context = 2) {
  const near = lines.map((_, i) => lines.slice(Math.max(0, i - context), i + context + 1).some(([mark]) => mark !== " "));
  const out = [];
  lines.forEach((line, i) => {
    if (near[i]) out.push(line);
    else if (out.at(-1)?.[0] === null) out.at(-1)[1]++;
    else out.push([null, 1]);
  });
  return out;
}
