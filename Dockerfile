# syntax=docker/dockerfile:1
# Two images of one service:  docker build --target cpu .   and   docker build --target gpu .
ARG PYTHON=3.11-slim-bookworm
ARG TORCH=2.13.0
# What is optional in the package: `postgres` is a driver, `cluster` adds Ray.
ARG EXTRAS=postgres

# The wheel is built apart, so that neither sources nor build tools are in the images.
FROM python:${PYTHON} AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY hmt_qa hmt_qa
COPY ingest ingest
COPY storage storage
COPY ui ui
COPY kernels kernels
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels -c constraints.txt .

FROM python:${PYTHON} AS base
# The root file system may be mounted read-only: what is written goes to /data (the library) or /tmp (uploads in
# transit, compiled kernels). Nothing is fetched and nothing is reported at run time.
ENV HMT_QA_HOME=/data \
    HOME=/tmp \
    GRADIO_ANALYTICS_ENABLED=False \
    HF_HUB_OFFLINE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A fixed number, so that a volume keeps its owner from one image to the next. A new named volume takes over the
# owner of /data as it is here.
RUN groupadd --gid 10001 hmt \
 && useradd --uid 10001 --gid hmt --no-create-home --home-dir /tmp --shell /usr/sbin/nologin hmt \
 && install --directory --owner=hmt --group=hmt --mode=0700 /data
WORKDIR /data
VOLUME /data
EXPOSE 7860
# An empty ProxyHandler: a proxy that Docker puts into the environment must not be asked for our own address.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:7860/api/v1/health', timeout=8)"]
ENTRYPOINT ["hmt-qa"]
# Without users and HMT_QA_ALLOW_UNAUTHENTICATED=1 the server refuses this address and says why. The image does not set it: who
# publishes the port decides who can reach it. docker-compose.yml sets it beside a port on loopback.
CMD ["serve", "--host", "0.0.0.0", "--port", "7860"]

FROM base AS gpu
ARG TORCH
ARG EXTRAS
# Triton compiles a small launcher in C the first time a kernel runs.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
# PyPI's torch is the CUDA build. It has a layer of its own: gigabytes that a change of our code leaves alone.
RUN --mount=type=bind,source=constraints.txt,target=/constraints.txt \
    pip install -c /constraints.txt torch==${TORCH}
RUN --mount=type=bind,source=constraints.txt,target=/constraints.txt \
    --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install -c /constraints.txt "$(echo /wheels/*.whl)[${EXTRAS}]"
USER 10001:10001

# Last, so that it is what a plain `docker build .` makes.
FROM base AS cpu
ARG TORCH
ARG EXTRAS
# Without its dependencies: that index serves torch, everything else comes from PyPI below.
RUN pip install --no-deps --index-url https://download.pytorch.org/whl/cpu torch==${TORCH}
RUN --mount=type=bind,source=constraints.txt,target=/constraints.txt \
    --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install -c /constraints.txt "$(echo /wheels/*.whl)[${EXTRAS}]"
USER 10001:10001
