// Prints a line for each job that finished. After a restart it resumes where it stopped.
import { connect } from "@nats-io/transport-node";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { CloudEvent } from "cloudevents";

const stream = "MKIO_EVENTS";
const durable = "consume-node"; // the consumer for which NATS stores what was acknowledged

const nc = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222", maxReconnectAttempts: -1 });
await (await jetstreamManager(nc)).consumers.add(stream, {
  durable_name: durable,
  filter_subjects: ["mkio.job.*.*.*.finished"],
  ack_policy: AckPolicy.Explicit,
});
const consumer = await jetstream(nc).consumers.get(stream, durable);
const messages = await consumer.consume();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => messages.close());

for await (const message of messages) {
  const event = new CloudEvent(message.json());
  const { kind, project, path, previousState = "", state } = event.data;
  console.log(`${event.time} ${kind} ${[project, ...path].join("/")} ${previousState} → ${state}`);
  // A crash before this line prints the event twice: a service that must not act twice stores its id.
  message.ack();
}
await nc.drain();
