#!/bin/sh
# Prints each job that finished as a line of JSON. After a restart it resumes where it stopped. It needs the NATS command line
# tool (go install github.com/nats-io/natscli/nats@v0.5.1), which reads the server's address from NATS_URL.
set -eu
nats consumer info MKIO_EVENTS consume-sh >/dev/null 2>&1 ||
	nats consumer add MKIO_EVENTS consume-sh --pull --filter 'mkio.job.*.*.*.finished' --ack explicit --deliver all --defaults >/dev/null

# This line is the consumer: it waits for an event, prints it, and then acknowledges it. After a timeout it prints an error, and
# waits again.
while :; do nats consumer next MKIO_EVENTS consume-sh --raw --timeout 30s || sleep 1; done
