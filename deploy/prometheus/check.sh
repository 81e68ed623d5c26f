#!/usr/bin/env bash
# Checks the alert rules, the dashboard's expressions and a bridge's /metrics. Uses promtool from $PROMTOOL or PATH, else
# extracts it from Debian's package prometheus without installing that: an installation would start a server.
set -euo pipefail
cd "$(dirname "$0")"

PROMTOOL="${PROMTOOL:-$(command -v promtool || true)}"
if [[ -z "$PROMTOOL" ]]; then
	cache="${XDG_CACHE_HOME:-$HOME/.cache}/mkio-bridge"
	PROMTOOL="$cache/promtool"
	if [[ ! -x "$PROMTOOL" ]]; then
		mkdir -p "$cache"
		unpacked="$(mktemp -d "$cache/promtool.XXXXXX")"
		trap 'rm -rf "$unpacked"' EXIT
		download() { (cd "$unpacked" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" prometheus); } # the owner of the directory
		download 2>/dev/null || { apt-get update -qq && download; }
		dpkg-deb --fsys-tarfile "$unpacked"/prometheus_*.deb | tar -x -C "$unpacked" ./usr/bin/promtool
		mv "$unpacked/usr/bin/promtool" "$PROMTOOL"
	fi
fi
export PROMTOOL

"$PROMTOOL" check rules --lint=all --lint-fatal ../helm/mkio-bridge/files/alerts.yaml
"$PROMTOOL" test rules alerts_test.yaml
go test -tags e2e -count=1 ../../cmd/bridge -run '^TestPromtool'
