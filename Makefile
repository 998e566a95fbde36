# `make demo` and `make test` need Python 3.11 to 3.13, make and nothing else.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint docs install chromium clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml setup.py
	@test -n "$(PYTHON)" || { echo "mapmaker needs Python 3.11, 3.12 or 3.13 on the PATH."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

demo: install
	$(BIN)/mapmaker demo

test: install chromium
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: install
	$(BIN)/cog -r README.md docs/*.md

# The browser tests want Chromium; where apt-get and root are at hand we fetch it ourselves.
chromium:
	@command -v chromium >/dev/null || test -x /usr/bin/chromium || { \
		command -v apt-get >/dev/null && test "$$(id -u)" = 0 \
		&& apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium >/dev/null; \
	} || echo "No Chromium here; install it to run the browser tests."

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
