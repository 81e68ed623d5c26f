#!/usr/bin/env bash
# Tests the image and the chart on a real Kubernetes cluster: the StatefulSet and the Deployment in namespaces with restricted
# pod security, deliveries through the Service, the helm test, upgrades and deleted pods under load, and a secret that is
# rotated without a restart. At the end every acknowledged delivery must be in the log exactly once.
#
# Needs kubectl, helm, curl and go, and a cluster that kubectl reaches. Run it where the ClusterIPs of Services can be
# reached, for example on a node. The cluster needs no DNS.
#
#   IMAGE            image of the bridge, e.g. registry.example.com/mkio-bridge:dev; required
#   NATS_IMAGE       image of nats-server, e.g. nats:2.15-alpine; required
#   NATS_SERVERS     servers of the NATS cluster, 1 or 3 (3)
#   PULL_POLICY      of both images (IfNotPresent)
#   STORAGE_CLASS    for the volume of the embedded server and of NATS; empty: the cluster's default
#   VOLUMES          for a cluster of one node without a storage provisioner: a directory on that node, where this script
#                    runs as root and creates hostPath volumes for pods of uid 65532
#   CRDS             directories or files with the CRDs ServiceMonitor, PrometheusRule and HTTPRoute, separated by blanks:
#                    missing ones are installed from there and not removed
#   NAMESPACE        prefix of the namespaces, which are created and deleted (mkio-bridge-try)
#   SECONDS_OF_LOAD  duration of load between two disturbances (10)
#   KEEP             when set, the namespaces are not deleted at the end
set -euo pipefail
cd "$(dirname "$0")"

: "${IMAGE:?set it to the image of the bridge}" "${NATS_IMAGE:?set it to the image of nats-server}"
NATS_SERVERS=${NATS_SERVERS:-3} PULL_POLICY=${PULL_POLICY:-IfNotPresent} STORAGE_CLASS=${STORAGE_CLASS:-} VOLUMES=${VOLUMES:-}
CRDS=${CRDS:-} NAMESPACE=${NAMESPACE:-mkio-bridge-try} SECONDS_OF_LOAD=${SECONDS_OF_LOAD:-10}
chart=helm/mkio-bridge
work=$(mktemp -d)
load=$work/load
body=../internal/mkio/testdata/webhooks/job-finished.finished.json
namespaces=() sender=

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# on_exit prints the pods and events after a failure, and deletes the namespaces and volumes.
on_exit() {
	local code=$?
	[ -z "$sender" ] || kill "$sender" 2>/dev/null || true
	if [ "$code" != 0 ]; then
		for n in "${namespaces[@]}"; do
			kubectl -n "$n" get pods -o wide || true
			kubectl -n "$n" get events --sort-by=.lastTimestamp | tail -15 || true
			kubectl -n "$n" logs -l app.kubernetes.io/component=bridge --tail=15 --prefix || true
		done
	fi
	if [ -z "${KEEP:-}" ]; then
		[ "${#namespaces[@]}" = 0 ] || kubectl delete namespace "${namespaces[@]}" --timeout 2m >/dev/null || true
		[ -z "$VOLUMES" ] || kubectl delete persistentvolume -l mkio-bridge-try="$NAMESPACE" --timeout 1m >/dev/null || true
	fi
	rm -rf "$work"
}
trap on_exit EXIT

# namespace creates a namespace that enforces the restricted pod security standard: namespace NAME
namespace() {
	kubectl create namespace "$1" >/dev/null
	namespaces+=("$1")
	kubectl label namespace "$1" pod-security.kubernetes.io/enforce=restricted pod-security.kubernetes.io/enforce-version=latest >/dev/null
}

# volume creates a hostPath volume for one claim, if VOLUMES is set: volume NAMESPACE CLAIM
volume() {
	[ -n "$VOLUMES" ] || return 0
	local dir="$VOLUMES/$1-$2-$RANDOM"
	mkdir -p "$dir" && chown 65532:65532 "$dir" # fsGroup does not apply to hostPath
	kubectl apply -f - <<-YAML
		apiVersion: v1
		kind: PersistentVolume
		metadata: {name: $1-$2, labels: {mkio-bridge-try: $NAMESPACE}}
		spec:
		  capacity: {storage: 10Gi}
		  accessModes: [ReadWriteOnce]
		  storageClassName: "$STORAGE_CLASS"
		  claimRef: {namespace: $1, name: $2}
		  hostPath: {path: $dir}
	YAML
}

# image_values prints the flags that set the image.
image_values() {
	local name=${IMAGE%@*} digest=
	[ "$name" = "$IMAGE" ] || digest=${IMAGE#*@}
	local tag=${name##*:}
	if [ "$tag" = "$name" ] || [[ $tag == */* ]]; then tag=; else name=${name%:*}; fi
	printf -- '--set image.repository=%s --set image.tag=%s --set image.digest=%s --set image.pullPolicy=%s' "$name" "$tag" "$digest" "$PULL_POLICY"
}

# install installs or upgrades the chart: install NAMESPACE FLAGS…
install() {
	local n=$1
	shift
	# shellcheck disable=SC2046
	helm upgrade --install bridge "$chart" -n "$n" $(image_values) --wait --timeout 5m "$@" >/dev/null
}

# bridge runs a command in a pod of the bridge: bridge NAMESPACE ARGUMENTS…
bridge() {
	local n=$1
	shift
	kubectl -n "$n" exec "$(workload "$n")" -- /mkio-bridge "$@"
}

workload() { kubectl -n "$1" get statefulset,deployment -l app.kubernetes.io/component=bridge -o name; } # exactly one

# address prints the webhook URL: address NAMESPACE
address() { echo "http://$(kubectl -n "$1" get service bridge-mkio-bridge -o jsonpath='{.spec.clusterIP}')/webhooks/mkio"; }

# status posts a file through the Service and prints the status: status NAMESPACE SECRET FILE
status() { status_at "$(address "$1")" "$2" "$3"; }

# status_at posts to one URL: status_at URL SECRET FILE
status_at() {
	curl -s -o /dev/null -w '%{http_code}' -m 10 -H "X-Webhook-Secret: $2" -H 'Content-Type: application/json' --data-binary @"$3" "$1" || true
}

# expect fails unless two words are equal: expect WHAT GOT WANT
expect() { [ "$2" = "$3" ] || fail "$1: got $2, want $3"; }

# until_true repeats a command until it succeeds, for at most two minutes.
until_true() {
	local end=$((SECONDS + 120))
	until "$@"; do
		[ $SECONDS -lt $end ] || fail "still failing after two minutes: $*"
		sleep 1
	done
}

is_status() { [ "$(status "$1" "$2" "$3")" = "$4" ]; }

# everywhere posts to each pod, because pods see a changed Secret at different times: everywhere NAMESPACE SECRET STATUS
everywhere() {
	local ip
	for ip in $(kubectl -n "$1" get pods -l app.kubernetes.io/component=bridge -o jsonpath='{.items[*].status.podIP}'); do
		[ "$(status_at "http://$ip:8080/webhooks/mkio" "$2" "$body")" = "$3" ] || return 1
	done
}

# start_load starts a sender in the background: start_load NAMESPACE
start_load() {
	rm -f "$work/acknowledged"
	"$load" send --url "$(address "$1")" --secret-file "$work/secret" --project "$1" --acknowledged "$work/acknowledged" &
	sender=$!
	sleep "$SECONDS_OF_LOAD"
}

# end_load waits until every delivery is acknowledged, and compares them with the log: end_load NAMESPACE
end_load() {
	sleep "$SECONDS_OF_LOAD"
	kill -TERM "$sender"
	local s=$sender
	sender=
	wait "$s" || fail 'a delivery was never acknowledged'
	bridge "$1" events --output json --project "$1" | "$load" check --acknowledged "$work/acknowledged" || fail 'the log differs from the acknowledged deliveries'
	bridge "$1" verify
	expect 'deliveries that became no event' "$(bridge "$1" unapplied list --output name | wc -l)" 0
}

# pods prints the uid and restart count of each of the bridge's pods: pods NAMESPACE
pods() {
	kubectl -n "$1" get pods -l app.kubernetes.io/component=bridge -o jsonpath='{range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount}{"\n"}{end}' | sort
}

# delete_pod deletes one pod and waits until another is ready: delete_pod NAMESPACE
delete_pod() {
	local pod
	pod=$(kubectl -n "$1" get pods -l app.kubernetes.io/component=bridge -o jsonpath='{.items[0].metadata.name}')
	kubectl -n "$1" delete pod "$pod" >/dev/null
	kubectl -n "$1" rollout status "$(workload "$1")" --timeout 5m >/dev/null
}

# smoke_test makes deliveries, reads the event in the pod, and runs the helm test: smoke_test NAMESPACE
smoke_test() {
	local secret
	secret=$(cat "$work/secret")
	until_true is_status "$1" "$secret" "$body" 204 # the Service's endpoints may lag behind readiness
	expect 'a duplicate' "$(status "$1" "$secret" "$body")" 204
	expect 'a wrong secret' "$(status "$1" wrong "$body")" 401
	bridge "$1" events --project aurora-vod
	expect 'events in the log' "$(bridge "$1" events --output json --project aurora-vod | wc -l)" 1
	helm test bridge -n "$1" --timeout 3m --logs | grep -vE '^$' | sed '/^NOTES/,/^POD/d'
}

say 'the chart against the API server'
go build -C test -o "$load" ./load
for crd in servicemonitors.monitoring.coreos.com prometheusrules.monitoring.coreos.com httproutes.gateway.networking.k8s.io; do
	kubectl get crd "$crd" >/dev/null 2>&1 && continue
	[ -n "$CRDS" ] || fail "the cluster lacks $crd: set CRDS to its definition"
	# shellcheck disable=SC2086
	file=$(grep -rlE "^  name: $crd\$" $CRDS) || fail "$crd is not defined in $CRDS"
	kubectl apply --server-side -f "${file%%$'\n'*}" >/dev/null
	# Until the new CRD has conditions, kubectl wait fails at once.
	for _ in {1..30}; do kubectl wait --for condition=Established "crd/$crd" --timeout 60s >/dev/null 2>&1 && continue 2; sleep 1; done
	fail "$crd is not established"
done
namespace "$NAMESPACE-render"
version=$(kubectl version -o json | sed -n '/serverVersion/,$s/.*"gitVersion": "\(.*\)".*/\1/p')
for values in "$chart"/ci/*-values.yaml; do
	helm template bridge "$chart" -n "$NAMESPACE-render" --kube-version "$version" -f "$values" >"$work/manifest"
	kubectl apply --dry-run=server --validate=strict -n "$NAMESPACE-render" -f "$work/manifest" >"$work/applied"
	echo "$(basename "$values"): $(wc -l <"$work/applied") objects"
done

say 'the embedded server'
n=$NAMESPACE-embedded
namespace "$n"
volume "$n" data-bridge-mkio-bridge-0
install "$n" --set embedded.persistence.storageClass="$STORAGE_CLASS"
kubectl -n "$n" get secret bridge-mkio-bridge -o go-template='{{index .data "webhook-secrets" | base64decode}}' >"$work/secret"
smoke_test "$n"
say 'a deleted pod and an upgrade under load'
start_load "$n"
delete_pod "$n"
sleep "$SECONDS_OF_LOAD"
before=$(pods "$n")
install "$n" --reuse-values --set podAnnotations.try=upgraded
[ "$(pods "$n")" != "$before" ] || fail 'the upgrade replaced no pod'
expect 'the generated secret after the upgrade' "$(kubectl -n "$n" get secret bridge-mkio-bridge -o go-template='{{index .data "webhook-secrets" | base64decode}}')" "$(cat "$work/secret")"
end_load "$n"

say "an existing NATS of $NATS_SERVERS server(s)"
n=$NAMESPACE-external
namespace "$n"
for i in $(seq 0 $((NATS_SERVERS - 1))); do volume "$n" "data-nats-$i"; done
NAMESPACE=$n NATS_IMAGE=$NATS_IMAGE PULL_POLICY=$PULL_POLICY NATS_SERVERS=$NATS_SERVERS STORAGE_CLASS=$STORAGE_CLASS ./try-nats.sh
nats=$(kubectl -n "$n" get service nats -o jsonpath='{.spec.clusterIP}')
secret() { # secret VALUE: creates or rotates the webhook secret
	kubectl -n "$n" create secret generic webhooks --from-literal=hook="$1" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
}
secret old-s3cret
printf old-s3cret >"$work/secret"
install "$n" --set "nats.urls={nats://$nats:4222}" --set config.streamReplicas="$NATS_SERVERS" \
	--set secrets.webhookSecrets.existingSecret=webhooks --set secrets.webhookSecrets.key=hook
smoke_test "$n"
say 'a rolling upgrade, a deleted pod and a rotated secret under load'
start_load "$n"
before=$(pods "$n")
install "$n" --reuse-values --set podAnnotations.try=upgraded
[ "$(pods "$n")" != "$before" ] || fail 'the upgrade replaced no pod'
sleep "$SECONDS_OF_LOAD"
delete_pod "$n"
sleep "$SECONDS_OF_LOAD"
before=$(pods "$n")
expect 'the new secret before the rotation' "$(status "$n" new-s3cret "$body")" 401
secret new-s3cret,old-s3cret
until_true everywhere "$n" new-s3cret 204
expect 'the old secret while both are valid' "$(status "$n" old-s3cret "$body")" 204
printf new-s3cret >"$work/secret"
secret new-s3cret
until_true everywhere "$n" old-s3cret 401
sleep "$SECONDS_OF_LOAD"
expect 'pods and restarts after the rotation' "$(pods "$n")" "$before"
end_load "$n"

say 'passed'
