# docker build -t ifade . && docker run --rm -p 7860:7860 ifade
# For an NVIDIA GPU: docker build --build-arg REQUIREMENTS=requirements-gpu.lock, and docker run --gpus all.
# The image holds software under the GPL: NOTICE says which, and what that asks of whoever passes it on.
# `docker buildx imagetools inspect python:3.12.12-slim-bookworm` tells the digest that a mirror can be held to.
FROM python:3.12.12-slim-bookworm

COPY packages.txt /tmp/
RUN apt-get update \
    && xargs --arg-file /tmp/packages.txt apt-get install --yes --no-install-recommends \
    && rm -rf /var/lib/apt/lists/*

# Every package by its checksum; the first lines of those files say how they are made from requirements*.txt.
ARG REQUIREMENTS=requirements.lock
COPY requirements.lock requirements-gpu.lock /tmp/
RUN pip install --no-cache-dir --require-hashes -r /tmp/$REQUIREMENTS

# The files belong to root and the page runs as somebody else, so it can write to its home and to /tmp alone.
RUN useradd --create-home --uid 1000 ifade
WORKDIR /app
COPY . .
USER 1000

ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860 PYTHONUNBUFFERED=1
EXPOSE 7860
HEALTHCHECK --start-period=60s --timeout=10s CMD python -c "import os, urllib.request as ask; ask.build_opener(ask.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['GRADIO_SERVER_PORT'] + '/health', timeout=5)"
CMD ["python", "app.py"]
