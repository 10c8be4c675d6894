# Keybearer in a container. This file was checked by reading only: it was not built or run where it was written.
#
#   docker build --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" --tag keybearer .
#
# docs/install.md says how to run it.

FROM swift:6.3-bookworm AS build
RUN apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        binutils dpkg-dev libarchive-dev libpq-dev libsqlite3-dev pkg-config python3 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# The dates of the package. There is no git here to ask.
ARG SOURCE_DATE_EPOCH=0
RUN SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" scripts/build-package --output /packages

FROM debian:bookworm-slim
RUN --mount=type=bind,from=build,source=/packages,target=/packages \
    apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends /packages/keybearer_*.deb \
    && rm -rf /var/lib/apt/lists/*
USER keybearer
WORKDIR /var/lib/keybearer
VOLUME /var/lib/keybearer
# Mount a file of your own here. Commands find it too: docker exec CONTAINER keybearer user list
ENV KEYBEARER_CONFIG=/etc/keybearer/keybearer.json
# Not 127.0.0.1, which nobody outside the container reaches.
ENV KEYBEARER_ADDRESS=*:8080
EXPOSE 8080
# Whether the process serves; /readyz, which also looks at the database, is for load balancers: starting a server again does not
# bring its database back. With TLS in the server, replace it: this one speaks plain HTTP.
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && grep -q '^ok' <&3"]
ENTRYPOINT ["keybearer"]
CMD ["serve"]
