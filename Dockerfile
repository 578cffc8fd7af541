# downlink as a service: everything it needs in /opt/downlink, nothing else beside Python. Runs as a user without rights.
ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE} AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
WORKDIR /src
ARG LOCK=requirements.lock
RUN python -m venv /opt/downlink
COPY ${LOCK} ./requirements.lock
RUN /opt/downlink/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock \
 && find /opt/downlink -type d -name tests -prune -exec rm -r {} +
COPY pyproject.toml build.lock build_names.py ./
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r build.lock
COPY README.md LICENSE ./
COPY configs configs
COPY replay_data replay_data
COPY pipeline pipeline
RUN /opt/build/bin/python -m hatchling build -t wheel -d /tmp/wheel \
 && /opt/downlink/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --no-deps /tmp/wheel/*.whl \
 && /opt/downlink/bin/pip uninstall --quiet --yes pip setuptools

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 downlink && useradd --uid 10001 --gid downlink --no-create-home downlink \
 && install --directory --owner downlink --group downlink /state \
    /keys /keys/own /keys/authority /keys/broker /keys/ingest /keys/decode /keys/publish /keys/history /keys/reader /history
COPY --from=build /opt/downlink /opt/downlink
ENV PATH=/opt/downlink/bin:$PATH PYTHONDONTWRITEBYTECODE=1 DOWNLINK_STATE=/state MALLOC_ARENA_MAX=2
USER downlink
WORKDIR /state
ENTRYPOINT ["downlink"]
