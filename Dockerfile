# The images of Murmur. They copy a tree that is made before:
#
#   node tools/build/image.ts
#   docker build --target murmur --tag murmur:0.1.0 --build-arg VERSION=0.1.0 --build-arg REVISION=$(git rev-parse HEAD) .
#
#   node tools/build/image.ts --target tools
#   docker build --target tools --tag murmur-tools:0.1.0 --build-arg VERSION=0.1.0 .
#
# BASE is any image with glibc and Node.js 24 at /usr/local/bin/node (another place: `image.ts --node PATH`). It needs no shell and no
# package manager. `image.ts --base --archive` packs the same image without docker; it reads the configuration in this file.
ARG BASE=node:24-slim
# An image with Node.js, git and tini. The default stage below installs both into TOOLS_FROM.
ARG TOOLS_BASE=tools-base
ARG TOOLS_FROM=node:24-slim

# All roles: coordinator, api, agents, init.
FROM ${BASE} AS murmur
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="murmur" \
      org.opencontainers.image.description="An actor-based swarm runtime on NATS: durable tasks, XState agents, one stored result each." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY dist/image/murmur/ /
# The heap may use 75 % of the container's memory limit; the rest is for buffers and code. The compile cache is read only.
ENV NODE_ENV=production \
    NODE_OPTIONS="--max-old-space-size-percentage=75 --disable-warning=ExperimentalWarning --disable-warning=MODULE_TYPELESS_PACKAGE_JSON" \
    NODE_COMPILE_CACHE=/opt/murmur/cache \
    NODE_COMPILE_CACHE_PORTABLE=1 \
    MURMUR_METRICS_HOST=0.0.0.0
USER 65532:65532
WORKDIR /app
EXPOSE 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/local/bin/murmur-health", "/livez"]
ENTRYPOINT ["/usr/local/bin/murmur"]

FROM ${TOOLS_FROM} AS tools-base
RUN apt-get update && apt-get install --yes --no-install-recommends git tini && rm -rf /var/lib/apt/lists/*

# Agents that run commands: git and the analysers of the review. tini is process 1, and reaps what their commands leave behind.
FROM ${TOOLS_BASE} AS tools
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="murmur-tools" \
      org.opencontainers.image.description="Murmur with git, an init and the analysers of the review, for agents that run commands." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY dist/image/tools/ /
ENV NODE_ENV=production \
    NODE_OPTIONS="--max-old-space-size-percentage=75 --disable-warning=ExperimentalWarning --disable-warning=MODULE_TYPELESS_PACKAGE_JSON" \
    NODE_COMPILE_CACHE=/opt/murmur/cache \
    NODE_COMPILE_CACHE_PORTABLE=1 \
    MURMUR_METRICS_HOST=0.0.0.0
USER 65532:65532
WORKDIR /app
EXPOSE 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/local/bin/murmur-health", "/livez"]
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/murmur"]
