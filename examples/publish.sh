#!/bin/sh
# Waits until a job finishes, publishes its outputs and prints the addresses. It does for one job what publish-when-finished does
# for all: creates a streaming locator with the name of each output asset, and makes sure that a streaming endpoint runs.
#
#   MKIO_TOKEN=… examples/publish.sh PROJECT TRANSFORM JOB [SINCE]
#
# SINCE is a time noted before the job was submitted, in the form of date -u +%FT%T.%3NZ: the end of an earlier job of this name
# does not count then. Without it, a job that has finished already is published at once. Killed at any line, the script is run
# again with the same arguments: what is done is found and not done again.
#
# The exit code is 0 when the addresses are printed. Otherwise it is that of mkio-bridge wait (1: the job failed; 4: the NATS of
# the bridge cannot be reached), 3 if a locator or the endpoint is not ready after five attempts, or 2 if MK.IO refuses a request
# or does not respond. The script needs mkio-bridge in the PATH, curl, jq and GNU date. MKIO_URL, ENDPOINT and POLICY replace the
# defaults below; mkio-bridge connects to BRIDGE_NATS_URL.
set -eu
if [ $# -lt 3 ] || [ -z "${MKIO_TOKEN:-}" ]; then
	echo "usage: MKIO_TOKEN=… publish.sh PROJECT TRANSFORM JOB [SINCE]" >&2
	exit 2
fi
project=$1 transform=$2 job=$3 since=${4:-}
endpoint=${ENDPOINT:-default} policy=${POLICY:-Predefined_ClearStreamingOnly}

encode() { jq -rn --arg name "$1" '$name | @uri'; }
base="${MKIO_URL:-https://app.mk.io}/api/v1/projects/$(encode "$project")/media"
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# mkio METHOD PATH [BODY] sends a request, again for some time if MK.IO refuses it for now (429, 5xx). The response is in $answer,
# its status in $status. curl reads the token from its standard input, so that no list of processes shows it.
mkio() {
	status=$(printf 'header = "Authorization: Bearer %s"\n' "$MKIO_TOKEN" |
		curl --config - --silent --show-error --max-time 30 --retry 5 --output "$answer" --write-out '%{http_code}' \
			--request "$1" --header 'Content-Type: application/json' --data "${3:-}" "$base/$2") || status=none # curl has said why
	request="$1 $2"
}

# expect STATUS… ends the script if the status of the last request is another.
expect() {
	case " $* " in *" $status "*) return ;; esac
	echo "publish.sh: $request: MK.IO's response: $status $(jq -r .error.detail "$answer" 2>/dev/null)" >&2
	exit 2
}

# reach STATE KIND NAME PATH returns when MK.IO shows a resource in a state. It looks again when the bridge has recorded that
# state, or after three minutes, in case the bridge saw no change. It starts what is Stopped. provisioningState does not matter:
# an endpoint that is provisioned (Succeeded) may be stopped.
reach() {
	for attempt in 1 2 3 4 5; do
		before=$(date -u +%FT%T.%3NZ)
		mkio GET "$4"
		expect 200
		state=$(jq -r .properties.resourceState "$answer")
		case $state in
		"$1") return ;;
		Stopped) mkio POST "$4/start" && expect 200 202 400 409 ;; # refused: somebody else has started it
		esac
		code=0
		mkio-bridge wait "$2" "$project" "$3" --for "$1" --since "$before" --timeout 3m >/dev/null || code=$?
		[ "$code" = 0 ] || [ "$code" = 3 ] || exit "$code"
	done
	echo "publish.sh: $2 $3 is $state after $attempt attempts, not $1" >&2
	exit 3
}

echo "waiting for job $project/$transform/$job" >&2
mkio-bridge wait job "$project" "$transform" "$job" ${since:+--since "$since"} --for Finished >/dev/null

mkio GET "transforms/$(encode "$transform")/jobs/$(encode "$job")"
expect 200
if [ "$(jq -r .properties.state "$answer")" != Finished ]; then
	echo "publish.sh: MK.IO shows job $job in another state: a newer job has this name" >&2
	exit 1
fi
assets=$(jq -r '.properties.outputs[].assetName // empty' "$answer")
[ -n "$assets" ] || { echo "publish.sh: job $job has no output asset" >&2 && exit 1; }

printf '%s\n' "$assets" | while IFS= read -r asset; do
	locator="streamingLocators/$(encode "$asset")"
	mkio GET "$locator"
	if [ "$status" = 404 ]; then
		mkio PUT "$locator" "$(jq -n --arg asset "$asset" --arg policy "$policy" '{properties: {assetName: $asset, streamingPolicyName: $policy}}')"
		expect 200 201
	fi
	reach Created streaming-locator "$asset" "$locator"
	if [ "$(jq -r .properties.assetName "$answer")" != "$asset" ]; then
		echo "publish.sh: streaming locator $asset is of another asset: rename or delete it" >&2
		exit 2
	fi
done

reach Running streaming-endpoint "$endpoint" "streamingEndpoints/$(encode "$endpoint")"
host=$(jq -r '.properties | [.hostName, .cdnBasePath] | map(select(. != null and . != "") | gsub("^/+|/+$"; "")) | join("/")' "$answer")

printf '%s\n' "$assets" | while IFS= read -r asset; do
	mkio POST "streamingLocators/$(encode "$asset")/listPaths" '{}'
	expect 200
	jq -e '[.streamingPaths[].paths[]] | length > 0' "$answer" >/dev/null ||
		{ echo "publish.sh: streaming locator $asset has no path to play" >&2 && exit 2; }
	jq -r --arg job "$project/$transform/$job" --arg host "$host" \
		'.streamingPaths[] | .streamingProtocol as $protocol | .paths[] | "\($job) \($protocol) https://\($host)/\(ltrimstr("/"))"' "$answer"
done
