# downlink as a service: everything it needs in /opt/downlink, nothing else beside Python. Runs as a user without rights.
FROM python:3.11-slim AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
WORKDIR /src
RUN python -m venv /opt/downlink
COPY pyproject.toml ./
RUN python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; e = p["optional-dependencies"]; \
    print(*p["dependencies"], *e["services"], *e["dashboard"], sep="\n")' > needed.txt \
 && /opt/downlink/bin/pip install --quiet --no-cache-dir --disable-pip-version-check -r needed.txt \
 && find /opt/downlink -type d -name tests -prune -exec rm -r {} +
COPY README.md LICENSE ./
COPY configs configs
COPY pipeline pipeline
RUN /opt/downlink/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --no-deps . \
 && /opt/downlink/bin/pip uninstall --quiet --yes pip setuptools

FROM python:3.11-slim
RUN groupadd --gid 10001 downlink && useradd --uid 10001 --gid downlink --no-create-home downlink \
 && install --directory --owner downlink --group downlink /state
COPY --from=build /opt/downlink /opt/downlink
ENV PATH=/opt/downlink/bin:$PATH PYTHONDONTWRITEBYTECODE=1 DOWNLINK_STATE=/state MALLOC_ARENA_MAX=2
USER downlink
WORKDIR /state
ENTRYPOINT ["downlink"]
