# make demo: see it work. make test: prove it. make help: the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
EXTRAS := broker,dashboard,history,parquet,pictures,reprocess,science,services,spice

.PHONY: help setup demo test check witness bench soak docs format lock sbom audit clean system

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.setup ## install downlink into .venv, and nothing else

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("downlink needs Python 3.11 or newer")'
	@$(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null \
	    && $(PYTHON) -m venv $(VENV); \
	  else echo 'this Python has no venv: install it (Debian: python3-venv)' >&2; exit 1; fi; }

$(VENV)/.setup: pyproject.toml | $(BIN)/python
	$(INSTALL) -e '.[broker,dashboard,pictures]'
	@touch $@

# LOCKED=1, as CI has it: exactly what requirements-dev.lock names, each file by its hash.
$(VENV)/.tools: pyproject.toml missions/imap/pyproject.toml $(if $(LOCKED),requirements-dev.lock) | $(BIN)/python
ifdef LOCKED
	$(INSTALL) --require-hashes -r requirements-dev.lock
	$(INSTALL) --no-deps --no-build-isolation -e . -e missions/imap
else
	$(INSTALL) 'pip>=25.1,<27' # the first that knows dependency groups
	$(INSTALL) -e '.[$(EXTRAS)]' -e missions/imap --group test --group check --group docs
endif
	@touch $@ $(VENV)/.setup

# The tools whose formats `dictionary convert` reads, each in a venv of its own: their needs go neither with ours nor together.
witness: $(VENV)/.tools ## tests that compare with OpenC3, F Prime, AIT, Kaitai and promtool (of Debian's prometheus)
	@for need in $$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["witness"])'); do \
	  place=$(VENV)/witness/$${need%%>*}; test -x $$place/bin/python || $(PYTHON) -m venv $$place; \
	  $$place/bin/python -m pip install --quiet --disable-pip-version-check "$$need" || exit 1; \
	done
	$(BIN)/python -m pytest -m witness tests

$(VENV)/.supply: pyproject.toml | $(BIN)/python
	$(INSTALL) 'pip>=25.1,<27'
	$(INSTALL) -e . --group supply
	@touch $@

$(VENV)/.peers: pyproject.toml | $(BIN)/python
	$(INSTALL) 'pip>=25.1,<27'
	$(INSTALL) -e '.[broker,dashboard,science,services]' --group bench
	@touch $@ $(VENV)/.setup

demo: setup ## the bundled pass on the embedded broker
	$(BIN)/downlink demo

test: $(VENV)/.tools system $(VENV)/node/.setup ## all tests, in two processes
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.tools ## linters, types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	mkdir -p build/names && ln -sfn ../../pipeline build/names/downlink_pipeline # mypy follows no import hook
	MYPYPATH=missions/imap:build/names $(BIN)/mypy -p downlink_imap
	$(BIN)/lint-imports --no-cache

soak: $(VENV)/.tools system ## a hundred kills, outages of ten minutes, hostile bytes, an hour at ten times the real rate
	DOWNLINK_KILLS=100 DOWNLINK_OUTAGE_S=60 DOWNLINK_AWAY_S=600 DOWNLINK_HOSTILE_S=300 $(BIN)/python -m pytest --timeout 7200 \
	  tests/services/test_kill.py tests/services/test_history.py tests/services/outages tests/services/test_hostile.py
	DOWNLINK_SOAK_S=$${DOWNLINK_SOAK_S:-3600} DOWNLINK_SOAK_FIGURES=$${DOWNLINK_SOAK_FIGURES:-soak.csv} \
	  $(BIN)/python -m pytest --timeout 0 tests/services/test_memory.py
	DOWNLINK_FUZZ_SECONDS=300 DOWNLINK_EXAMPLES=2000 $(BIN)/python -m pytest --timeout 3600 tests/link

bench: $(VENV)/.peers system ## speed and memory, against peers in one run
	$(BIN)/python -m benchmarks

docs: $(VENV)/.tools ## the pages that are made from the code, and the site in build/site
	$(BIN)/python docs/make_reference.py
	$(BIN)/zensical build --strict

comma := ,
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
# hatchling asks for editables when it installs a working tree
BUILD_NEEDS := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], "editables<1", sep="\n")

lock: $(VENV)/.supply ## resolve pyproject.toml anew: versions and hashes for the image and for CI
	$(BIN)/python -c '$(BUILD_NEEDS)' | $(COMPILE) --upgrade - -o build.lock
	$(COMPILE) --upgrade $(foreach extra,$(subst $(comma), ,$(EXTRAS)),--extra $(extra)) --group test --group check --group docs pyproject.toml build.lock -o requirements-dev.lock
	$(COMPILE) --upgrade -c requirements-dev.lock --extra services --extra dashboard pyproject.toml -o requirements.lock # what CI tested
	$(COMPILE) --upgrade -c requirements-dev.lock --extra services --extra history pyproject.toml -o requirements-history.lock

sbom: $(VENV)/.supply ## the image's bill of materials (CycloneDX) in build/sbom.json
	@mkdir -p build
	$(BIN)/cyclonedx-py requirements --output-reproducible --of JSON -o build/sbom.json requirements.lock

audit: $(VENV)/.supply ## known vulnerabilities of what the image and CI install
	$(BIN)/pip-audit --progress-spinner off --disable-pip --require-hashes -r requirements.lock -r requirements-history.lock -r requirements-dev.lock

format: $(VENV)/.tools ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The broker, the browser and the JavaScript that some tests talk to: installed where that can be done, else those tests are skipped and say so.
system:
	@command -v mosquitto >/dev/null || test -x /usr/sbin/mosquitto || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends mosquitto mosquitto-clients >/dev/null; \
	  else echo "mosquitto is not here and cannot be installed: the tests that need it are skipped"; fi; }
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	  else echo "chromium is not here and cannot be installed: the dashboard's tests are skipped"; fi; }
	@command -v npm >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null; fi; }

# What the examples in JavaScript and the check of AsyncAPI documents need, from npm.
$(VENV)/node/.setup: tests/node/package.json | system $(BIN)/python
	@mkdir -p $(VENV)/node && cp tests/node/package.json $(VENV)/node/
	@if command -v npm >/dev/null; then \
	  cd $(VENV)/node && npm install --silent --no-audit --no-fund --no-package-lock && touch .setup; \
	else echo "npm is not here and cannot be installed: tests of JavaScript are skipped"; fi

clean: ## remove what make made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
