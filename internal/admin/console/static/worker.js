// The stream of events, shared by all tabs of a browser: HTTP/1.1 allows it six connections to a host. It runs while a tab listens.
//
// It reads /v1/events with fetch, because an EventSource hides why a request is refused. After an interruption it resumes behind
// the last event (Last-Event-ID), at whichever bridge answers.
//
// A tab sends {listen: true} or {listen: false}, and "alive" now and then: a tab that ends does not say so. It gets {events: […]}
// and {connection: {state, since, reason, retryAt}}, state one of connecting, open, waiting, signedOut. Payloads are parsed here,
// away from the tabs.

const endpoint = new URL("../v1/events", self.location.href);
const batchInterval = 100;
const patience = 150_000; // a tab in the background is allowed to call once a minute
const ports = new Map(); // port → {listens, heard}

let controller, lastId = "", batch = [], connection = { state: "connecting", since: Date.now() };

self.onconnect = ({ ports: [port] }) => attach(port);
if (!("onconnect" in self) || typeof SharedWorkerGlobalScope === "undefined") attach(self); // a worker of one tab

function attach(port) {
  const tab = { listens: false, heard: Date.now() };
  ports.set(port, tab);
  port.onmessage = ({ data }) => {
    tab.heard = Date.now();
    if (data.listen === undefined) return;
    tab.listens = data.listen;
    if (tab.listens) port.postMessage({ connection });
    adjust();
  };
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

function post(message) { for (const [port, tab] of ports) if (tab.listens) port.postMessage(message); }

function tell(state, more = {}) {
  connection = { state, since: connection.state === state ? connection.since : Date.now(), ...more };
  post({ connection });
}

/** adjust starts the stream for the first listener, and ends it after the last. */
function adjust() {
  const wanted = [...ports.values()].some((tab) => tab.listens);
  if (wanted && !controller) {
    controller = new AbortController();
    lastId = "";
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
    try {
      const response = await fetch(endpoint, { signal, credentials: "same-origin", cache: "no-store", headers: lastId ? { "Last-Event-ID": lastId } : {} });
      if (response.ok) {
        tell("open", { instance: response.headers.get("Mkio-Bridge-Instance") ?? "" });
        pause = 500;
        await read(response.body, signal);
      } else {
        reason = await reasonOf(response);
        if (response.status === 401) { tell("signedOut", { reason }); return; }
        if (response.status === 416 || response.status === 400) lastId = ""; // the log was recreated, or its events have aged out: go on with the next
        pause = Math.max(pause, Number(response.headers.get("Retry-After")) * 1000 || 0);
      }
    } catch { reason = "the bridge cannot be reached"; }
    if (signal.aborted) return;
    tell("waiting", { reason, retryAt: Date.now() + pause });
    await new Promise((done) => setTimeout(done, pause * (0.75 + Math.random() / 2)));
    pause = Math.min(pause * 2, 15_000);
  }
}

async function reasonOf(response) {
  try { return (await response.json()).detail ?? response.statusText; } catch { return `${response.status} ${response.statusText}`; }
}

async function read(body, signal) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done || signal.aborted) return;
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
  if (!field.id) return; // a comment, or what identifies the log
  lastId = field.id;
  const { type, time, recordedtime, data } = JSON.parse(field.data);
  const { kind, project, path, state, phase, previousState, previousPhase, provisioningState, via, evidence, errors } = data;
  batch.push({ sequence: Number(field.id), discovered: type.endsWith(".discovered"), time, recorded: recordedtime, kind, project, path, state, phase, previousState, previousPhase, provisioningState, via, errors,
    latenessSeconds: evidence.timeFrom === "mkio" ? Math.max(0, (Date.parse(recordedtime) - Date.parse(time)) / 1000) : undefined });
}
