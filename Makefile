# The only commands that people and CI need. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS ?= [dev]

.DEFAULT_GOAL := help
.PHONY: help setup run demo test check vendors system modules web bench clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) ## create .venv, install, prepare the embedded model

$(STAMP): pyproject.toml constraints.txt
	@echo "installing into $(VENV) (torch is large; a first run takes some minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python venv is missing: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.$(EXTRAS)'
	@test -z '$(EXTRAS)' || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --constraint constraints.txt pytest-audioeval
	$(BIN)/stenoline prepare
	@touch $@

run: setup ## serve on 127.0.0.1:8000
	$(BIN)/stenoline serve $(ARGS)

demo: setup ## stream a bundled talk to a server and watch it being written down
	$(BIN)/python -m client_examples.demo $(ARGS)

check: setup ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

vendors: setup ## environments of the clients that the contract suite drives
	$(BIN)/python -m scripts.vendors

system: setup ## a browser, Node and editors for the tests: Debian's packages that are missing, where that is allowed
	$(BIN)/python -m scripts.system

MODULES := server/web/node_modules/.package-lock.json

modules: system
	@$(MAKE) --no-print-directory $(MODULES)

$(MODULES): server/web/package.json
	@if command -v npm >/dev/null; then cd server/web && npm install --silent && touch node_modules/.package-lock.json; \
	else echo "Node is missing: the page is served as it was built, and cannot be built anew"; fi

web: modules ## build the page (server/web) with Node 20.19 or newer
	cd server/web && npm run build

test: check vendors modules ## check, then all tests
	$(BIN)/python -m pytest $(ARGS)

bench: setup ## latency, accuracy and load on the bundled talk
	$(BIN)/python -m bench.latency $(ARGS)
	$(BIN)/python -m bench.accuracy $(ARGS)
	$(BIN)/python -m bench.load $(ARGS)

clean: ## remove what the other commands made, except the model in the cache
	rm -rf $(VENV) .vendors server/web/node_modules client_examples/*/node_modules client_examples/vscode/out build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
