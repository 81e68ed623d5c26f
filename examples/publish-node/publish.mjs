// Publishes the outputs of each job that finishes: creates a streaming locator for the output asset, makes sure that a streaming
// endpoint runs, and prints the addresses. It does what examples/publish-when-finished does in Go, but it has no dry run, and does
// not give up. Environment: NATS_URL, MKIO_URL, MKIO_TOKEN, ENDPOINT, POLICY, DURABLE, SINCE_SECONDS.
//
// Every step looks first and acts only if something is missing, and a locator has the name of its asset. So an event that is
// delivered again, after a kill at any line or to two copies at once, changes nothing that is done. What it waits for it learns
// from the bridge; it does not poll MK.IO.
import { setTimeout as pause } from "node:timers/promises";
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, nanos } from "@nats-io/transport-node";
import { CloudEvent } from "cloudevents";

const { NATS_URL = "nats://127.0.0.1:4222", MKIO_URL = "https://app.mk.io", MKIO_TOKEN, ENDPOINT = "default" } = process.env;
const { POLICY = "Predefined_ClearStreamingOnly", DURABLE = "publish-node", SINCE_SECONDS, ACK_WAIT_MS = "30000" } = process.env;
const stream = "MKIO_EVENTS"; // the bridge's log
const patience = 180_000; // after this, everything is looked at again, in case the bridge saw no change
if (!MKIO_TOKEN) {
  console.error("publish-node: set MKIO_TOKEN to an API token of MK.IO");
  process.exit(2);
}

// A Refusal is a response of MK.IO that is no success.
class Refusal extends Error {
  constructor(request, response, body) {
    let detail = "";
    try {
      detail = JSON.parse(body).error.detail;
    } catch {} // a gateway may respond in HTML
    super(`${request}: MK.IO responded ${response.status} ${detail}`);
    this.status = response.status;
    this.retryAfter = 1000 * (Number(response.headers.get("retry-after")) || 0);
  }
}
const isRefused = (error, ...statuses) => error instanceof Refusal && statuses.includes(error.status);

// mkio sends a request for a resource of a project, up to three times if MK.IO refuses it for now (429, 5xx).
async function mkio(method, project, path, body) {
  const segments = ["api", "v1", "projects", project, "media", ...path].map(encodeURIComponent);
  for (let n = 1; ; n++) {
    const response = await fetch(`${MKIO_URL}/${segments.join("/")}`, {
      method,
      headers: { Authorization: `Bearer ${MKIO_TOKEN}`, "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    if (response.ok) return text && JSON.parse(text);
    const refusal = new Refusal(`${method} ${path.join("/")}`, response, text);
    if (n === 3 || (response.status !== 429 && response.status < 500)) throw refusal;
    await pause(Math.max(refusal.retryAfter, 1000 * n));
  }
}

// until calls check now, and again after each change of a resource that the bridge records, until check returns true.
async function until(kind, project, name, check) {
  const end = Date.now() + patience;
  const { name: changes } = await manager.consumers.add(stream, {
    filter_subject: `mkio.${kind}.${token(project)}.${token(name)}.*`,
    deliver_policy: DeliverPolicy.New,
    ack_policy: AckPolicy.None,
    inactive_threshold: nanos(60_000), // after a kill, NATS deletes it
  });
  try {
    const consumer = await log.consumers.get(stream, changes);
    while (!(await check())) {
      if (Date.now() > end) throw new Error(`${kind} ${name} is not in the state to continue after ${patience / 1000} s`);
      while (Date.now() < end && !(await consumer.next({ expires: 5000 })));
    }
  } finally {
    await manager.consumers.delete(stream, changes).catch(() => {});
  }
}

// token encodes a name as in subjects: every byte outside [A-Za-z0-9_-] becomes =XX.
function token(name) {
  const encoded = (byte) => `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  return [...Buffer.from(name)].map((b) => (/[\w-]/.test(String.fromCharCode(b)) && b < 128 ? String.fromCharCode(b) : encoded(b))).join("");
}

// publish brings one finished job to the point where its outputs can be played, and prints the addresses.
async function publish(subject, { project, path, evidence, resource }) {
  const last = await manager.streams.getMessage(stream, { last_by_subj: subject.replace(/[^.]*$/, "*") });
  if (last && last.json().data.evidence.life !== evidence.life) return; // a newer job has this name: its end has its own event
  let job;
  try {
    job = await mkio("GET", project, ["transforms", path[0], "jobs", path[1]]);
    if (job.properties.state !== "Finished") throw new Error(`MK.IO shows the job in state ${job.properties.state}`);
  } catch (error) {
    if (!isRefused(error, 404)) throw error;
    job = resource; // deleted after it finished; its outputs stay
  }
  const assets = (job?.properties.outputs ?? []).map((output) => output.assetName).filter(Boolean);
  if (assets.length === 0) return console.error(`${subject} is not published: the job has no output asset, or was deleted and the bridge omits records`);
  for (const asset of assets) await createLocator(project, asset);
  const host = await startEndpoint(project);
  for (const asset of assets) {
    const { streamingPaths } = await mkio("POST", project, ["streamingLocators", asset, "listPaths"], {});
    const lines = streamingPaths.flatMap(({ streamingProtocol, paths }) => paths.map((p) => `${streamingProtocol} ${host}/${p.replace(/^\/+/, "")}`));
    if (lines.length === 0) throw new Error(`streaming locator ${asset} has no path to play`);
    for (const line of lines) console.log(`${[project, ...path].join("/")} ${line}`);
  }
}

// createLocator returns when the locator of an asset is Created. It has the asset's name.
async function createLocator(project, asset) {
  const path = ["streamingLocators", asset];
  await until("streaming-locator", project, asset, async () => {
    let locator;
    try {
      locator = await mkio("GET", project, path);
    } catch (error) {
      if (!isRefused(error, 404)) throw error;
      try {
        locator = await mkio("PUT", project, path, { properties: { assetName: asset, streamingPolicyName: POLICY } });
      } catch (refusal) {
        if (!isRefused(refusal, 400, 409)) throw refusal;
        locator = await mkio("GET", project, path).catch(() => { throw refusal; }); // another copy may have created it since
      }
    }
    const { assetName, resourceState } = locator.properties;
    if (assetName !== asset) throw new Error(`streaming locator ${asset} is of asset ${assetName}: rename or delete it`);
    if (resourceState === "Error") throw new Error(`streaming locator ${asset} is in state Error: delete it`);
    return resourceState === "Created";
  });
}

// startEndpoint returns the address of the streaming endpoint when it runs, and starts it if it is stopped. provisioningState
// does not matter: an endpoint that is provisioned (Succeeded) may be stopped.
async function startEndpoint(project) {
  const path = ["streamingEndpoints", ENDPOINT];
  let host;
  await until("streaming-endpoint", project, ENDPOINT, async () => {
    const { hostName, cdnBasePath, resourceState } = (await mkio("GET", project, path)).properties;
    host = `https://${[hostName, cdnBasePath].filter(Boolean).map((part) => part.replace(/^\/+|\/+$/g, "")).join("/")}`;
    if (resourceState === "Stopped") {
      await mkio("POST", project, [...path, "start"]).catch((error) => {
        if (!isRefused(error, 400, 409)) throw error; // else another copy has started it
      });
    }
    return resourceState === "Running";
  });
  return host;
}

// handle tries once to publish the job of an event. Meanwhile it tells NATS that the work is in progress.
async function handle(message) {
  const working = setInterval(() => message.working(), Number(ACK_WAIT_MS) / 3);
  try {
    const event = new CloudEvent(message.json());
    if (!event.type.endsWith(".state.discovered")) await publish(message.subject, event.data); // else it is no news
    await message.ackAck();
  } catch (error) {
    const delay = Math.max(error.retryAfter ?? 0, Math.min(1000 * 2 ** (message.info.deliveryCount - 1), 300_000));
    console.error(`${message.subject} is not published yet; trying again in ${delay / 1000} s: ${error.message}`);
    message.nak(delay);
  } finally {
    clearInterval(working);
  }
}

const nc = await connect({ servers: NATS_URL, maxReconnectAttempts: -1 });
const manager = await jetstreamManager(nc);
const log = jetstream(nc);
const known = await manager.consumers.info(stream, DURABLE).catch(() => undefined);
if (!known) {
  const start = SINCE_SECONDS && { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(Date.now() - 1000 * SINCE_SECONDS).toISOString() };
  await manager.consumers.add(stream, {
    durable_name: DURABLE,
    filter_subjects: ["mkio.job.*.*.*.finished"],
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(Number(ACK_WAIT_MS)),
    deliver_policy: DeliverPolicy.New,
    ...start,
  });
}
const consumer = await log.consumers.get(stream, DURABLE);
console.error("publish-node started");
for (;;) { // there is nothing to do at the end: a signal may kill it at any line
  try {
    const message = await consumer.next({ expires: 5000 });
    if (message) await handle(message);
  } catch (error) {
    console.error(`no event from NATS; trying again: ${error.message}`);
    await pause(1000);
  }
}
