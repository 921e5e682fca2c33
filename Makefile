# Set-up, notebooks and tests. `make` alone lists what there is.
# The first `make lab` or `make test` makes .venv from requirements.lock; later ones see that it is there and go on.

PYTHON     ?= python3.11
PIP_FLAGS  ?=
LAB_FLAGS  ?=
TEST_FLAGS ?=

# A PYTHON that was named is used or refused; only the default may fall back.
CANDIDATES := $(PYTHON) $(if $(filter file,$(origin PYTHON)),python3 python)
BIN        := .venv/bin
READY      := .venv/.ready
UNFINISHED := .venv/.unfinished
PIP        := $(BIN)/python -m pip --disable-pip-version-check
LABCONFIG  := .venv/etc/jupyter/labconfig
# Tests run on as many cores as there are, up to four: each worker loads torch. Those of the browser share one page.
WORKERS    := -n auto --maxprocesses 4
START      := $(firstword $(wildcard notebooks/00_start_here.ipynb) $(wildcard notebooks) .)
NOTEBOOKS  := $(wildcard notebooks/*.ipynb)
# Notebooks and tests find the environment's programs, as in a shell where it is activated. Not exported for all: the
# set-up itself must not take its Python from the environment that it replaces.
ACTIVATED  := PATH="$(CURDIR)/$(BIN):$$PATH"

.DEFAULT_GOAL := help
.PHONY: help lab test course site lock clean FORCE

help:
	@echo "make lab     open the course in JupyterLab       (LAB_FLAGS: for jupyter lab)"
	@echo "make test    run every test and every notebook   (TEST_FLAGS: for pytest)"
	@echo "make course  run all notebooks, store outputs and timings (after changing one; needs Chrome)"
	@echo "make site    build the course as pages in site/, to be opened without server or network"
	@echo "make lock    resolve requirements.lock anew      (after changing pyproject.toml)"
	@echo "make clean   remove .venv, site and all caches; data and runs stay"
	@echo "The first use makes .venv.                       (PYTHON, PIP_FLAGS: see README.md)"

lab: $(READY)
	$(ACTIVATED) $(BIN)/python -m jupyterlab --ip=127.0.0.1 $(LAB_FLAGS) $(START)

test: $(READY)
	$(ACTIVATED) $(BIN)/python -m pytest -p no:nbval $(WORKERS) --ignore=tests/browser tests $(TEST_FLAGS)
	$(ACTIVATED) $(BIN)/python -m pytest -p no:nbval tests/browser $(TEST_FLAGS)
ifneq ($(NOTEBOOKS),)
	$(ACTIVATED) $(BIN)/python -m pytest -p no:cacheprovider $(WORKERS) --dist loadfile --nbval notebooks \
	    --nbval-current-env --nbval-cell-timeout=180 --nbval-sanitize-with notebooks/sanitize.cfg
endif

course: $(READY)
	$(ACTIVATED) $(BIN)/python .ci/notebooks.py
	$(BIN)/python .ci/glossary.py

site: $(READY)
	$(BIN)/python .ci/build_site.py

lock: $(READY)
	$(BIN)/python .ci/lock.py $(PIP_FLAGS)

clean:
	rm -rf .venv .pytest_cache .hypothesis .ruff_cache build dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +

# The stamp is written last, and holds the folder it was made in: after a move or a copy the environment points to the
# old place, so it is made again. UNFINISHED marks packages that were only partly unpacked: then too it is made again.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
$(READY): FORCE
endif
$(READY): requirements.lock pyproject.toml
	@set -e; \
	if [ -e $(UNFINISHED) ] || { [ -e $(READY) ] && [ "$$(cat $(READY))" != "$(CURDIR)" ]; } \
	    || ! $(PIP) --version >/dev/null 2>&1; then \
	    for candidate in $(CANDIDATES); do \
	        if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	            python=$$candidate; break; \
	        fi; \
	    done; \
	    if [ -z "$${python:-}" ]; then \
	        echo "make: needs Python 3.11 or newer, but found none as: $(CANDIDATES)." >&2; \
	        echo "      Install it, or say where it is: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; \
	        exit 1; \
	    fi; \
	    echo "make: setting up .venv with $$($$python --version), once; torch alone is a large download"; \
	    $$python -m venv --clear .venv; \
	else \
	    echo "make: bringing .venv up to date with requirements.lock"; \
	fi; \
	rm -f $(READY); \
	touch $(UNFINISHED); \
	$(PIP) install -q $(PIP_FLAGS) -r requirements.lock; \
	rm -f $(UNFINISHED); \
	$(PIP) install -q $(PIP_FLAGS) --no-build-isolation --no-deps -e .; \
	mkdir -p $(LABCONFIG); \
	echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}' \
	    > $(LABCONFIG)/default_setting_overrides.json; \
	printf '%s' "$(CURDIR)" > $(READY)
