# One image for every process of the engine: which one it is, the command says (docker-compose.yml).
FROM python:3.11-slim AS build
WORKDIR /app
RUN python -m venv /app/.venv
ENV PATH="/app/.venv/bin:$PATH" PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Dependencies first: they change less often than the code, so their layer is kept.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE worker.py ./
COPY charging ./charging
COPY workflows ./workflows
COPY activities ./activities
COPY api ./api
RUN pip install --no-deps --no-build-isolation --editable . \
    && python -m compileall -q charging workflows activities api worker.py

FROM python:3.11-slim
# Letters of receipts on paper.
RUN apt-get update && apt-get install -y --no-install-recommends fonts-dejavu-core && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /data --create-home charging
WORKDIR /app
COPY --from=build /app /app
ENV PATH="/app/.venv/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 CHARGING_DATA=/data/stack
# Else an image that is started by hand would serve everybody who knows the secrets of development.
ENV CHARGING_ENVIRONMENT=production
USER 10001
EXPOSE 8000
CMD ["python", "-m", "api", "--host", "0.0.0.0", "--port", "8000"]
