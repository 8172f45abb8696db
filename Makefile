# Penstock. `make help` lists what there is. Needs Python 3.11 to 3.13, git and make; everything else goes into .venv.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAGE ?= dev
WORKERS ?= 2
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help install run test check catalogue format bench aws-local clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

install: $(VENV)/.installed ## make .venv with everything in it

$(VENV)/.installed: pyproject.toml tools/setup.sh
	@sh tools/setup.sh "$(PYTHON)" $(VENV)
	@touch $@

run: install ## start the embedded server and try a flow on it (stays up where there is a terminal)
	@$(BIN)/python -m tools.first_run

test: install ## run every test
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup

check: install ## lint, types, floors, generated files, house rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/pyright --warnings
	@$(BIN)/lint-imports
	@$(BIN)/python -m tools.catalogue --check
	@$(BIN)/python -m tools.function_docs --check
	@$(BIN)/python -m pytest -q tests/house

catalogue: install ## generate catalogue.json, docs/nodes, docs/schemas and the function list
	@$(BIN)/python -m tools.catalogue
	@$(BIN)/python -m tools.function_docs

format: install ## format the code and mend what the linter can
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check --fix -q .

bench: install ## compare with floors measured in the same run
	@$(BIN)/python -m tools.bench

aws-local: install ## deploy to a local AWS on loopback, run flows there, remove everything
	@$(BIN)/python -m tools.aws_local_story

clean: ## remove what was made here
	rm -rf $(VENV) vendor build dist .penstock .pytest_cache .ruff_cache .hypothesis .import_linter_cache .chalice/deployments
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
