# One image for both programs; compose chooses the command.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --locked --release -p api -p worker && cp target/release/api target/release/worker /usr/local/bin/

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin wb
COPY --from=build /usr/local/bin/api /usr/local/bin/worker /usr/local/bin/
USER 10001:10001
EXPOSE 3000 9101
CMD ["api", "serve"]
