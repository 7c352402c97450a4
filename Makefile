# make run    sets up what it needs, then starts the bots of bots.yaml (CONFIG=other.yaml for another file)
# make test   all guards, then all tests
# make lint   the guards alone: ruff, mypy, import-linter
# make faults  the fault suite in full length, half an hour; root also fills a disk and boots a systemd (docs/reliability.md)
# make bench  all benchmarks beside their baselines, about an hour (docs/benchmarks.md)
# make screenshots  the pictures of the dashboard in docs/images anew, with Chromium and a made-up shop
# make mutants  breaks the money core in hundreds of ways and counts which the tests see, some minutes (docs/decisions/mutation-testing.md)
# make fmt    lets ruff fix and format the code
# make lock   brings the locks up to pyproject.toml (UPGRADE=1: and everything to its newest release)
# make install    makes botrunner a service of this machine (as root), or brings it up to date (docs/operations.md)
# make uninstall  takes it away again, but for bots.yaml and the data (PURGE=1: and those)
# make clean  removes the virtual environment and all caches
# make help   this

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CONFIG ?= bots.yaml
WORKERS ?= 2
PREFIX ?= /opt/botrunner
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test faults lint bench screenshots mutants fmt lock install uninstall clean help

run: $(VENV)/.ready-to-run
	@exec $(BIN)/botrunner run --config $(CONFIG)

test: lint
	@measured=$$(mktemp -d); trap 'rm -rf $$measured' EXIT; \
	COVERAGE_FILE=$$measured/coverage $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal --cov --cov-report=term-missing

lint: $(VENV)/.ready-to-test
	$(BIN)/ruff check --output-format concise
	$(BIN)/ruff format --check --output-format concise
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# How long "in full length" is: each of these may be set otherwise (docs/reliability.md says what it counts).
faults: export BOTRUNNER_KILLS ?= 200
faults: export BOTRUNNER_DROPS ?= 40
faults: export BOTRUNNER_CONVERSATIONS ?= 10000
faults: export BOTRUNNER_SOAK ?= 36000
faults: export BOTRUNNER_SYSTEMD ?= 1
faults: $(VENV)/.ready-to-test
	$(BIN)/python -m pytest tests/faults tests/unit/store --numprocesses $(WORKERS) --dist worksteal -rsP --durations 15

bench: $(VENV)/.ready-to-test
	@for name in caps cost workflow money conversations http load "load --daemons 1,2,4" fleet; do $(BIN)/botrunner bench $$name; done

MUTMUT = nice -n 19 $(CURDIR)/$(BIN)/mutmut

mutants: $(VENV)/.ready-to-test
	@copy=$$(mktemp -d); trap 'rm -rf $$copy' EXIT; \
	cp -r adapters runner tests pyproject.toml $$copy; cd $$copy; \
	$(MUTMUT) run --max-children 1 | tr '\r' '\n' | sed -n '$$p'; \
	$(MUTMUT) results; \
	$(MUTMUT) export-cicd-stats >/dev/null; \
	$(CURDIR)/$(BIN)/python -c 'import json; n = json.load(open("mutants/mutmut-cicd-stats.json")); \
	total = n["total"]; killed = 100 * n["killed"] / total; print(f"{killed:.1f} % of {total} killed, 95 % are needed"); \
	raise SystemExit(killed < 95)'

screenshots: $(VENV)/.ready-to-test
	@$(BIN)/python -m bench.screenshots

fmt: $(VENV)/.ready-to-test
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --no-annotate --group build $(if $(UPGRADE),--upgrade) pyproject.toml

lock: $(VENV)/.made
	@$(PIP) install --quiet uv==0.13.9
	@$(UV_COMPILE) --output-file requirements.lock
	@$(UV_COMPILE) --group dev --all-extras --constraint requirements.lock --output-file requirements-dev.lock

install uninstall:
	@PREFIX=$(PREFIX) PYTHON=$(PYTHON) PURGE=$(PURGE) systemd/install.sh $@

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:
	@sed -n 's/^# make /make /p' Makefile

# ---------------------------------------------------------------------------------- the environment
# A stamp is written when its step is complete, so that whatever was interrupted is done again. The locks
# are complete (--no-deps), every file in them is checked against its hash, and they are installed again only
# when they change; the project itself, which needs no network, whenever its project file does.

PIP := $(BIN)/python -m pip --disable-pip-version-check

define install
	@[[ -n "$(filter $<,$?)" ]] || exit 0; \
	echo "Installing what $(1) needs into $(VENV), once."; \
	all=$$(grep -c == $<); n=0; \
	$(PIP) install --require-hashes --no-deps --progress-bar off -r $< | while read -r step package _; do \
	    case $$step in \
	        Collecting | Processing) [[ ! -t 1 ]] || printf '\r\033[K%d of %d: %s' $$((++n)) $$all "$${package##*/}";; \
	        Installing) [[ ! -t 1 ]] || printf '\r\033[K'; echo "Putting them in place ...";; \
	    esac; \
	done
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
endef

$(VENV)/.ready-to-run: requirements.lock pyproject.toml | $(VENV)/.made
	$(call install,botrunner)

$(VENV)/.ready-to-test: requirements-dev.lock pyproject.toml | $(VENV)/.made
	$(call install,the test run)

$(VENV)/.made:
	@rm -rf $(VENV); \
	for python in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break || python=; \
	done; \
	[[ $$python ]] || { echo "botrunner needs Python 3.11 or newer (Debian: apt-get install python3)." >&2; exit 1; }; \
	if ! $$python -c 'import ensurepip' 2>/dev/null; then \
	    package=$$($$python -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	    if [[ $$EUID == 0 ]] && command -v apt-get >/dev/null; then \
	        echo "Installing $$package, which this Python lacks."; \
	        { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends $$package; } >/dev/null; \
	    else \
	        echo "This Python cannot make virtual environments. Please run: sudo apt-get install $$package" >&2; exit 1; \
	    fi; \
	fi; \
	$$python -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; \
	touch $@
