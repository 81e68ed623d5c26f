"""Prints a line for each job that finished. After a restart it resumes where it stopped."""

import asyncio
import os
import signal

import nats
from cloudevents.core.formats.json import JSONFormat
from nats.js.api import AckPolicy, ConsumerConfig

STREAM = "MKIO_EVENTS"
DURABLE = "consume-python"  # the consumer for which NATS stores what was acknowledged
FILTER = "mkio.job.*.*.*.finished"


async def main():
    stop = asyncio.Event()
    for s in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(s, stop.set)
    nc = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), max_reconnect_attempts=-1)
    consumer = await nc.jetstream().pull_subscribe(
        FILTER, durable=DURABLE, stream=STREAM, config=ConsumerConfig(ack_policy=AckPolicy.EXPLICIT)
    )
    while not stop.is_set():
        try:
            messages = await consumer.fetch(100, timeout=1)
        except nats.errors.TimeoutError:  # no new event
            continue
        for message in messages:
            event = JSONFormat().read(None, message.data)
            data = event.get_data()
            name = "/".join([data["project"], *data["path"]])
            print(event.get_time().isoformat(), data["kind"], name, data.get("previousState", ""), "→", data["state"], flush=True)
            # A crash before this line prints the event twice: a service that must not act twice stores its id.
            await message.ack()
    await nc.close()  # sends pending acknowledgements


asyncio.run(main())
