// The tab's end of the shared stream of events (worker.js).

const address = new URL("worker.js", import.meta.url);

/** workerAddress passes the address through the policy that the page allows for it: a worker's address is a script. */
const workerAddress = () => {
  const make = (text) => {
    if (text !== address.href) throw new TypeError("not the worker of the console");
    return text;
  };
  return globalThis.trustedTypes ? trustedTypes.createPolicy("mkio-worker", { createScriptURL: make }).createScriptURL(address.href) : address.href;
};

let port;
const listeners = new Set();

function connect() {
  if (port) return;
  if (globalThis.SharedWorker) {
    ({ port } = new SharedWorker(workerAddress(), { type: "module", name: "mkio-bridge events" }));
    port.start();
  } else {
    port = new Worker(workerAddress(), { type: "module" }); // some browsers on phones have no shared ones
  }
  port.onmessage = ({ data }) => {
    for (const listener of listeners) listener(data);
  };
  setInterval(() => port.postMessage({}), 20_000);
  addEventListener("pagehide", () => port.postMessage({ listen: false }));
  addEventListener("pageshow", (event) => {
    if (event.persisted && listeners.size) port.postMessage({ listen: true });
  });
}

/** listen calls a function with {events} and {connection} until the signal ends. */
export function listen(listener, signal) {
  connect();
  listeners.add(listener);
  port.postMessage({ listen: true });
  signal.addEventListener("abort", () => {
    listeners.delete(listener);
    if (!listeners.size) port.postMessage({ listen: false });
  });
}
