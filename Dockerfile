# docker build -t mkio-bridge:dev --build-arg VERSION=$(git describe --always --dirty) .
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# The context has no .git, so the version is an argument.
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.buildVersion=$VERSION" -o /out/mkio-bridge ./cmd/bridge && \
    mkdir /out/data

FROM gcr.io/distroless/static-debian12:nonroot
ARG VERSION=dev
LABEL org.opencontainers.image.title="mkio-bridge" \
      org.opencontainers.image.description="MediaKind MK.IO's changes of state, exactly once and in order, as CloudEvents on NATS JetStream" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /out/mkio-bridge /mkio-bridge
# The embedded server's store. A new volume inherits this owner.
COPY --from=build --chown=65532:65532 /out/data /data
ENV BRIDGE_STORE_DIR=/data
VOLUME /data
# The listeners are on loopback by default, so that commands that only read need no secret. Another webhook address needs one:
# -e BRIDGE_LISTEN=:8080 -e BRIDGE_WEBHOOK_SECRETS=…
EXPOSE 8080 9090
# By number, because Kubernetes' runAsNonRoot cannot verify a name.
USER 65532:65532
# Used by Docker; Kubernetes ignores it.
HEALTHCHECK --interval=15s --timeout=5s --start-period=1m CMD ["/mkio-bridge", "healthcheck"]
ENTRYPOINT ["/mkio-bridge"]
