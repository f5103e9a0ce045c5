# The verbs of this repository; each does all of its own set-up. `make PYTHON=python3.12 test` chooses an interpreter.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install browser tesseract postgresql check test audit screenshots demo bench docs clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "hmt-qa needs Python 3.11 or newer; $(PYTHON) is older. Use: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Install the venv module first: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# The browser tests drive Debian's Chromium; where it may not be installed they are skipped and say so.
browser:
	@command -v chromium >/dev/null || bash scripts/install-chromium

# The tests of text recognition need Tesseract's language data; where it may not be installed they are skipped.
tesseract:
	@ls /usr/share/tesseract-ocr/*/tessdata/eng.traineddata >/dev/null 2>&1 || bash scripts/install-tesseract

# The tests of libraries on PostgreSQL start a server of their own from Debian's programs; where they are missing and may
# not be installed those tests are skipped.
postgresql:
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || bash scripts/install-postgresql

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check browser tesseract postgresql
	$(BIN)/pytest --numprocesses 2 --dist loadfile

# Asks PyPI's advisory service, so it needs the network and is no part of the tests.
audit: install
	$(BIN)/pip-audit --skip-editable --progress-spinner off

# The pictures of the README, from the real page.
screenshots: install browser
	$(BIN)/python scripts/screenshots.py

demo: install
	$(BIN)/hmt-qa demo

bench: install browser
	$(BIN)/python benchmarks/spine.py
	$(BIN)/hmt-qa bench recall
	$(BIN)/python benchmarks/parsing.py
	$(BIN)/python benchmarks/unchanged.py
	$(BIN)/python benchmarks/together.py
	$(BIN)/python benchmarks/memory_use.py
	$(BIN)/python benchmarks/page.py

docs: install
	$(BIN)/pdoc --output-directory build/docs hmt_qa hmt_ingest hmt_storage hmt_ui hmt_kernels

clean:
	rm -rf $(VENV) build dist
