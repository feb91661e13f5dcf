# The demo in a container; docs/publishing.md says how to build and run it.
FROM python:3.11-slim

WORKDIR /app
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1

# Empty: PyPI's PyTorch, the CUDA build, which works on CPUs too.
ARG TORCH_INDEX=
COPY requirements.txt ./
RUN python3 -m venv .venv
RUN test -z "$TORCH_INDEX" || .venv/bin/pip install torch torchvision --index-url "$TORCH_INDEX"
RUN .venv/bin/pip install -r requirements.txt
COPY . .

# Only what is kept or sent lies where the demo may write.
RUN useradd --create-home --uid 10001 demo \
    && install -d -o demo -g demo /data/huggingface /data/uploads
ENV HF_HOME=/data/huggingface GRADIO_TEMP_DIR=/data/uploads
VOLUME ["/data/huggingface", "/data/uploads"]
USER 10001

ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860
EXPOSE 7860
# By http.client, which no proxy variable sends elsewhere.
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s CMD [".venv/bin/python", "-c", \
    "import http.client, os; server = http.client.HTTPConnection('127.0.0.1', int(os.environ['GRADIO_SERVER_PORT']), timeout=8); server.request('GET', '/healthz'); raise SystemExit(server.getresponse().status != 200)"]
CMD [".venv/bin/python", "app.py"]
