#!/usr/bin/env bash
# The NATS of try-cluster.sh: NATS_SERVERS servers with JetStream in NAMESPACE, which sync every write. Not an example to
# copy: for your own NATS use the chart of nats-io.
#
# Each server has a Service, whose ClusterIP is its route, because the Kubernetes cluster may have no DNS.
set -euo pipefail

count=$NATS_SERVERS
for i in $(seq 0 $((count - 1))); do
	kubectl -n "$NAMESPACE" apply -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Service
		metadata: {name: nats-$i}
		spec:
		  selector: {statefulset.kubernetes.io/pod-name: nats-$i}
		  publishNotReadyAddresses: true
		  ports: [{name: cluster, port: 6222}]
	YAML
done
kubectl -n "$NAMESPACE" apply -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: Service
	metadata: {name: nats}
	spec:
	  selector: {app: nats}
	  ports: [{name: client, port: 4222}]
YAML
routes=$(for i in $(seq 0 $((count - 1))); do printf 'nats://%s:6222,' "$(kubectl -n "$NAMESPACE" get service "nats-$i" -o jsonpath='{.spec.clusterIP}')"; done)
cluster=
[ "$count" = 1 ] || cluster="cluster { name: try, listen: \"0.0.0.0:6222\", routes: [${routes%,}] }"
kubectl -n "$NAMESPACE" apply -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: ConfigMap
	metadata: {name: nats}
	data:
	  nats.conf: |
	    server_name: \$POD
	    listen: "0.0.0.0:4222"
	    http: "0.0.0.0:8222"
	    jetstream { store_dir: /data, sync_interval: always }
	    $cluster
	---
	apiVersion: apps/v1
	kind: StatefulSet
	metadata: {name: nats}
	spec:
	  replicas: $count
	  serviceName: nats
	  podManagementPolicy: Parallel
	  selector: {matchLabels: {app: nats}}
	  template:
	    metadata: {labels: {app: nats}}
	    spec:
	      enableServiceLinks: false
	      automountServiceAccountToken: false
	      securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
	      containers:
	        - name: nats
	          image: $NATS_IMAGE
	          imagePullPolicy: $PULL_POLICY
	          args: [-c, /etc/nats/nats.conf]
	          env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
	          ports: [{name: client, containerPort: 4222}]
	          readinessProbe: {httpGet: {path: /healthz, port: 8222}, periodSeconds: 2, timeoutSeconds: 5}
	          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
	          volumeMounts: [{name: data, mountPath: /data}, {name: config, mountPath: /etc/nats}]
	      volumes: [{name: config, configMap: {name: nats}}]
	  volumeClaimTemplates:
	    - metadata: {name: data}
	      spec:
	        accessModes: [ReadWriteOnce]
	        ${STORAGE_CLASS:+storageClassName: $STORAGE_CLASS}
	        resources: {requests: {storage: 1Gi}}
YAML
kubectl -n "$NAMESPACE" rollout status statefulset/nats --timeout 5m
