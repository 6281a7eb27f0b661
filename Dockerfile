# syntax=docker/dockerfile:1

# All programs of Orderflow, one image each:
#   docker build --build-arg PROGRAM=services/orders --tag orderflow/orders:dev .

# Go compiles for the image's platform on the builder's own platform, which is many times faster than emulation.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG PROGRAM TARGETOS TARGETARCH VERSION=dev
# Where modules come from, for builds behind a proxy. Unset: Go's defaults.
ARG GOPROXY GOSUMDB
WORKDIR /src
# The code that all programs share, and then the program's own folder: a change of one program keeps the images of the others.
COPY api api
COPY pkg pkg
COPY local local
COPY $PROGRAM $PROGRAM
# Locked, so that of several images that are built at the same time, one compiles the shared code and the others wait for it.
RUN --mount=type=cache,target=/go/pkg/mod,sharing=locked \
	--mount=type=cache,target=/root/.cache/go-build,sharing=locked \
	cd $PROGRAM && \
	GOWORK=off CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
		-ldflags "-s -w -X example.com/orderflow/pkg/service.version=$VERSION" -o /program .

FROM gcr.io/distroless/static-debian12:nonroot
ARG PROGRAM VERSION=dev REVISION
LABEL org.opencontainers.image.title="Orderflow $PROGRAM" \
	org.opencontainers.image.version=$VERSION \
	org.opencontainers.image.revision=$REVISION \
	org.opencontainers.image.source=https://example.com/orderflow \
	org.opencontainers.image.licenses=Apache-2.0
COPY --from=build /program /program
USER 65532:65532
# Other containers cannot reach loopback.
ENV HTTP_ADDR=:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s CMD ["/program", "-health"]
ENTRYPOINT ["/program"]
