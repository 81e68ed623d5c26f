// Requests to /v1 of the bridge that served this page. An answer is {data, asOf, instance, version}; a failure is thrown as a
// Problem. Payloads of events are kept as text, because a parsed and printed number may lose digits.

const limit = 30_000; // milliseconds for an answer: a bridge that hangs must not look calm
const base = new URL("../v1/", location.href);

/** A Problem is why a request has no answer: status 0 means that the bridge cannot be reached. */
export class Problem extends Error {
  constructor(status, detail, retryAfter, location) {
    super(detail);
    Object.assign(this, { status, retryAfter, location });
  }
}

/** The last answer's instance and version, and how far its clock is ahead of the browser's, in milliseconds. */
export const server = { instance: "", version: "", ahead: 0 };

/** now is the time on the bridge's clock, as far as its answers tell: the browser's clock may be wrong. */
export const now = () => Date.now() + server.ahead;

const watchers = new Set();

/** onUnauthorized calls a function when a request is refused because there is no session, or not any more. */
export const onUnauthorized = (watcher) => watchers.add(watcher);

/** get requests a path below /v1 with parameters, as href() takes them. */
export const get = (path, parameters, options) => request("GET", path, parameters, options);

/** send makes a request that changes something. */
export const send = (method, path, parameters, options) => request(method, path, parameters, options);

export function address(path, parameters = {}) {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") url.searchParams.append(name, String(one));
    }
  }
  return url;
}

async function request(method, path, parameters, { signal, headers, as = "json" } = {}) {
  const late = AbortSignal.timeout(limit);
  const lost = (why) => new Problem(0, late.aborted ? `there was no answer within ${limit / 1000} s` : why);
  let response;
  try {
    response = await fetch(address(path, parameters), {
      method,
      signal: AbortSignal.any([signal, late].filter(Boolean)),
      headers,
      credentials: "same-origin",
      cache: "no-store",
      redirect: "manual",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw lost("the bridge cannot be reached");
  }
  if (response.type === "opaqueredirect") throw new Problem(0, "a proxy answers with a redirect: reload the page, to sign in there again");
  if (!response.ok) throw await problemOf(response);
  server.instance = response.headers.get("Mkio-Bridge-Instance") ?? server.instance;
  server.version = response.headers.get("Mkio-Bridge-Version") ?? server.version;
  let data = null;
  try {
    if (response.status !== 204) data = await response[as]();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw lost("the answer ended half-way");
  }
  const date = Date.parse(response.headers.get("Date") ?? ""); // in whole seconds
  if (!Number.isNaN(date)) server.ahead = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
  return {
    data,
    asOf: new Date(Number.isNaN(date) ? Date.now() : date),
    instance: response.headers.get("Mkio-Bridge-Instance") ?? "",
    location: response.headers.get("Location"),
    headers: response.headers,
  };
}

async function problemOf(response) {
  let detail = `${response.status} ${response.statusText}`;
  try {
    detail = (await response.json()).detail ?? detail;
  } catch {
    /* a proxy's own page: the status says enough */
  }
  if (response.status === 401) for (const watcher of watchers) watcher(detail);
  return new Problem(response.status, detail, Number(response.headers.get("Retry-After")) || 0, response.headers.get("Location"));
}
