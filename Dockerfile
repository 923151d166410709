# Three stages: the binary, the hash-pinned ONNX Runtime library, and an image with these two and
# nothing else: no shell, no package manager, a numeric user. For amd64 and arm64 alike:
#
#   docker build --tag safelight .
#   docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges \
#     --publish 127.0.0.1:8080:8080 --tmpfs /spool:uid=65532,mode=0700,size=512m \
#     --memory 2g --memory-swap 2g safelight
#
# `scripts/image_steps.py` runs the RUN lines where there is no container engine, and
# tests/operate/confined.rs runs the program the way this image does.
#
# The spool must be a tmpfs and the container must not swap (--memory equal to --memory-swap), or
# `--ephemerality strict` refuses to start: a picture could reach a disk.

ARG RUST_VERSION=1.95
ARG PYTHON_VERSION=3.11

# --- the binary ------------------------------------------------------------------------------
# This image brings the C compiler that libwebp needs.
FROM rust:${RUST_VERSION}-slim-bookworm AS build
WORKDIR /build

# Dependencies first, behind an empty crate: this layer is only built anew when Cargo.lock changes.
COPY scripts/build_release.sh scripts/
COPY Cargo.toml Cargo.lock ./
# Cargo.toml names them, and cargo wants what it names to exist.
COPY benches benches
COPY tests/pictures tests/pictures
COPY fuzz/seeds.rs fuzz/
RUN mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && scripts/build_release.sh

COPY models models
COPY src src
# The copies are older than the build above, so cargo would take the empty crate for up to date.
RUN touch src/main.rs src/lib.rs \
    && scripts/build_release.sh

# --- ONNX Runtime ----------------------------------------------------------------------------
FROM python:${PYTHON_VERSION}-slim-bookworm AS runtime
COPY scripts/fetch_onnxruntime.py /
RUN python3 /fetch_onnxruntime.py --dest /onnxruntime

# --- the image -------------------------------------------------------------------------------
# glibc and libstdc++, which ONNX Runtime needs, and not much more.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Safelight" \
      org.opencontainers.image.description="An ephemeral image service: removes backgrounds, restores and transforms pictures, and keeps nothing." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot"

COPY --from=build /build/target/release/safelight /usr/local/bin/safelight
# The binary looks in ../lib/ of its own folder.
COPY --from=runtime /onnxruntime/libonnxruntime.so /usr/local/lib/libonnxruntime.so
COPY --from=runtime /onnxruntime/LICENSE /onnxruntime/ThirdPartyNotices.txt /usr/share/licenses/onnxruntime/
COPY LICENSE /usr/share/licenses/safelight/LICENSE

# Numeric, so that Kubernetes' runAsNonRoot can check it.
USER 65532:65532
# Service and metrics; publish the second one to the monitoring network only.
EXPOSE 8080 9464
# SIGTERM drains: no new requests, those that are there are finished.
STOPSIGNAL SIGTERM
# The binary asks itself, since there is no shell and no curl.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["/usr/local/bin/safelight", "health"]
ENTRYPOINT ["/usr/local/bin/safelight"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--metrics-listen", "0.0.0.0:9464", \
     "--ephemerality", "strict", "--spool", "/spool"]
