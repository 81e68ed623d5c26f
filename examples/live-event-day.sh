#!/bin/sh
# Starts a live event in the morning and stops it at night, and raises an alert when MK.IO does not do it in time.
#
#   MKIO_TOKEN=… examples/live-event-day.sh start PROJECT EVENT && ./start-encoder
#   MKIO_TOKEN=… examples/live-event-day.sh stop PROJECT EVENT
#
# From cron, for example at 6:00 and at 22:00. An event that is already in the state that is asked for is left as it is, so that
# the script may be run again at any time. Exit codes, those of mkio-bridge wait:
#
#   0  the event is Running, or Stopped: only now may the next step begin
#   1  the event failed meanwhile, or does not exist; one that is deleted meanwhile is noticed after the timeout
#   2  MK.IO refused the request or did not respond; a stop is refused while the event has live outputs
#   3  it is not Running within START_TIMEOUT (3m), or is stuck Stopping for STOP_TIMEOUT (5m)
#   4  the NATS of the bridge cannot be reached in three attempts, PAUSE (10) seconds apart: the state is unknown
#
# For each code but 0, unless the script was called wrongly, ALERT is run with a text, for example a script that posts it to a channel; without it the text goes to
# standard error only. The script needs mkio-bridge in the PATH, curl, jq and GNU date. MKIO_URL replaces https://app.mk.io; mkio-bridge
# connects to BRIDGE_NATS_URL.
set -eu
usage() { echo "usage: MKIO_TOKEN=… live-event-day.sh start|stop PROJECT EVENT" >&2 && exit 2; }
[ $# = 3 ] && [ -n "${MKIO_TOKEN:-}" ] || usage
action=$1 project=$2 event=$3
case $action in
start) goal=Running timeout=${START_TIMEOUT:-3m} ;;
stop) goal=Stopped timeout=${STOP_TIMEOUT:-5m} ;;
*) usage ;;
esac

encode() { jq -rn --arg name "$1" '$name | @uri'; }
address="${MKIO_URL:-https://app.mk.io}/api/v1/projects/$(encode "$project")/media/liveEvents/$(encode "$event")"
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# fail CODE TEXT raises an alert and ends the script.
fail() {
	text="live event $project/$event: $2"
	echo "$text" >&2
	[ -z "${ALERT:-}" ] || "$ALERT" "$text" || echo "the alert failed: $ALERT" >&2
	exit "$1"
}

# mkio METHOD [/ACTION] sends a request for the event, again for some time if MK.IO refuses it for now (429, 5xx). curl reads the
# token from its standard input, so that no list of processes shows it.
mkio() {
	status=$(printf 'header = "Authorization: Bearer %s"\n' "$MKIO_TOKEN" |
		curl --config - --silent --show-error --max-time 30 --retry 5 --output "$answer" --write-out '%{http_code}' \
			--request "$1" --header 'Content-Type: application/json' --data '' "$address${2:-}") ||
		fail 2 "MK.IO does not respond to $1 $address${2:-}"
	[ "$status" != 404 ] || fail 1 "does not exist in MK.IO"
	[ "$status" = 200 ] || [ "$status" = 202 ] ||
		fail 2 "MK.IO responded $status to $1 $address${2:-}: $(jq -r .error.detail "$answer" 2>/dev/null)"
}

# look sets state to what MK.IO shows. provisioningState does not matter: a provisioned event (Succeeded) need not run.
look() {
	mkio GET
	state=$(jq -r .properties.resourceState "$answer")
}

before=$(date -u +%FT%T.%3NZ) # only what the bridge records from now on counts: the event was Running yesterday too
look
case $action/$state in
start/Running | stop/Stopped) exit 0 ;;
start/Starting | stop/Stopping) ;; # asked for already: a run of this script was interrupted
*) mkio POST "/$action" ;;
esac

for attempt in 1 2 3; do # the bridge may be restarting
	code=0
	mkio-bridge wait live-event "$project" "$event" --for "$goal" --since "$before" --timeout "$timeout" >/dev/null || code=$?
	[ "$code" = 4 ] && [ "$attempt" -lt 3 ] || break
	sleep "${PAUSE:-10}"
done
case $code in
0) ;;
1) fail 1 "has failed, instead of being $goal" ;;
3)
	look # the bridge may have been down when it happened
	[ "$state" = "$goal" ] || fail 3 "is still $state after $timeout"
	;;
*) fail "$code" "the bridge cannot tell its state: mkio-bridge wait ended with exit code $code" ;;
esac
