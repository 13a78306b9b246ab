# Build: docker build -t stenoline .      Run: docker run -p 8000:8000 -e STENOLINE_API_KEY=... [--gpus all] stenoline
FROM python:3.12-slim

# Debian drops old versions from its mirrors, so a pinned one would soon fail to build.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 stenoline \
    && install --directory --owner=stenoline /app

WORKDIR /app
USER 10001
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1

COPY --chown=stenoline pyproject.toml constraints.txt README.md Makefile ./
COPY --chown=stenoline model model
COPY --chown=stenoline streaming streaming
COPY --chown=stenoline server server
RUN make setup EXTRAS=

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["/app/.venv/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# Reached from outside the container, so it wants STENOLINE_API_KEY.
ENTRYPOINT ["/app/.venv/bin/stenoline", "serve", "--host", "0.0.0.0"]
