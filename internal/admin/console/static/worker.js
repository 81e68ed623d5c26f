// The stream of events, shared by all tabs of a browser: HTTP/1.1 allows it six connections to a host. It runs while a tab listens.
//
// It reads /v1/events with fetch, because an EventSource hides why a request is refused. After an interruption it resumes behind
// the last event (Last-Event-ID), at whichever bridge answers.
//
// A tab sends {listen: true} or {listen: false}, and {} now and then: a tab that ends does not say so. It gets {events: […]},
// {connection: {state, since, reason, retryAt}}, state one of connecting, open, waiting, signedOut, and {gap: {at, recreated, asleep}} where
// the stream could not resume behind the last event, or the tab was asleep. Payloads are parsed here, away from the tabs.

const endpoint = new URL("../v1/events", self.location.href);
const batchInterval = 250; // each batch draws the rows anew
const patience = 150_000; // a tab in the background is allowed to call once a minute
const silence = 45_000; // the bridge sends a comment every 15 s: a connection with less is dead, though nothing may say so
const ports = new Map(); // port → {listens, heard}

let controller,
  signedOut = false,
  lastId = "",
  log = "",
  batch = [],
  connection = { state: "connecting", since: Date.now() };

self.onconnect = ({ ports: [port] }) => attach(port);
if (!("onconnect" in self) || typeof SharedWorkerGlobalScope === "undefined") attach(self); // a worker of one tab

function attach(port) {
  const tab = { listens: false, heard: Date.now() };
  ports.set(port, tab);
  port.onmessage = ({ data }) => {
    tab.heard = Date.now();
    if (!ports.has(port)) awake(port, tab);
    if (data.listen === undefined) return;
    tab.listens = data.listen;
    if (tab.listens) signedOut = false; // a tab listens when it has a session
    adjust();
    if (tab.listens) port.postMessage({ connection });
  };
}

/** awake takes a tab back that was not heard of for long: the computer slept, say. It was sent no events meanwhile. */
function awake(port, tab) {
  ports.set(port, tab);
  if (!tab.listens) return;
  adjust();
  port.postMessage({ connection });
  port.postMessage({ gap: { at: Date.now(), asleep: true } });
}

setInterval(() => {
  for (const [port, tab] of ports) if (port !== self && Date.now() - tab.heard > patience) ports.delete(port);
  adjust();
}, 10_000);

setInterval(() => {
  if (!batch.length) return;
  post({ events: batch });
  batch = [];
}, batchInterval);

function post(message) {
  for (const [port, tab] of ports) if (tab.listens) port.postMessage(message);
}

function tell(state, more = {}) {
  connection = { state, since: connection.state === state ? connection.since : Date.now(), ...more };
  post({ connection });
}

/** adjust starts the stream for the first listener, and ends it after the last. */
function adjust() {
  const wanted = [...ports.values()].some((tab) => tab.listens);
  if (wanted && !controller && !signedOut) {
    controller = new AbortController();
    lastId = log = "";
    run(controller.signal);
  } else if (!wanted && controller) {
    controller.abort();
    controller = undefined;
  }
}

async function run(signal) {
  let pause = 500;
  tell("connecting");
  while (!signal.aborted) {
    let reason = "the stream ended";
    const attempt = new AbortController();
    let timer;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => attempt.abort(), silence);
    };
    alive();
    try {
      const response = await fetch(endpoint, {
        signal: AbortSignal.any([signal, attempt.signal]),
        credentials: "same-origin",
        cache: "no-store",
        redirect: "manual",
        headers: lastId ? { "Last-Event-ID": lastId } : {},
      });
      if (response.ok) {
        tell("open", { instance: response.headers.get("Mkio-Bridge-Instance") ?? "" });
        pause = 500;
        await read(response.body, signal, alive);
      } else {
        const refusal = await refusalOf(response);
        reason = refusal.detail;
        if (response.status === 401) {
          signedOut = true;
          controller = undefined;
          clearTimeout(timer);
          tell("signedOut", { reason });
          return;
        }
        if (response.status === 416) {
          lastId = "";
          identify(refusal.log, true);
        } // go on with the next event
        pause = Math.max(pause, Number(response.headers.get("Retry-After")) * 1000 || 0);
      }
    } catch {
      reason = attempt.signal.aborted ? `nothing came for ${silence / 1000} s` : "the bridge cannot be reached";
    }
    clearTimeout(timer);
    if (signal.aborted) return;
    tell("waiting", { reason, retryAt: Date.now() + pause });
    await new Promise((done) => setTimeout(done, pause * (0.75 + Math.random() / 2)));
    pause = Math.min(pause * 2, 15_000);
  }
}

async function refusalOf(response) {
  const detail = `${response.status} ${response.statusText}`;
  try {
    return { detail, ...(await response.json()) };
  } catch {
    return { detail };
  }
}

/** identify takes the identity of the log. If it is another one than before, or if the position behind the last event is outside
 * it, events are missing in the tail: the log was recreated, or they have aged out. */
function identify(identity, outside = false) {
  const recreated = Boolean(log && identity && identity !== log);
  log = identity ?? log;
  if (recreated || outside) post({ gap: { at: Date.now(), recreated } });
}

async function read(body, signal, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done || signal.aborted) return;
    alive();
    const messages = (rest + value).split("\n\n");
    rest = messages.pop();
    for (const message of messages) take(message);
  }
}

/** take reads one server-sent message: its lines are id, event and data. */
function take(message) {
  const field = {};
  for (const line of message.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) field[line.slice(0, colon)] = line.slice(colon + 2);
  }
  if (field.event === "log") identify(JSON.parse(field.data).log);
  if (!field.id) return; // a comment, or what identifies the log
  lastId = field.id;
  const { type, time, recordedtime, data } = JSON.parse(field.data);
  const { kind, project, path, state, phase, previousState, previousPhase, provisioningState, via, evidence, errors } = data;
  batch.push({
    sequence: Number(field.id),
    discovered: type.endsWith(".discovered"),
    time,
    recorded: recordedtime,
    kind,
    project,
    path,
    state,
    phase,
    previousState,
    previousPhase,
    provisioningState,
    via,
    errors,
    latenessSeconds: evidence.timeFrom === "mkio" ? Math.max(0, (Date.parse(recordedtime) - Date.parse(time)) / 1000) : undefined,
  });
}
