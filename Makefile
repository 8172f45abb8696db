# Penstock. `make help` lists what there is. Needs Python 3.11 to 3.13, git and make; everything else goes into .venv.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAGE ?= dev
WORKERS ?= 2
SEEDS ?= 20000
FROM ?= 0
MINUTES ?= 10
SECONDS ?= 60
EXAMPLES ?= 50
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help install run test check lock sbom audit catalogue format bench simulate crashes kill soak fuzz fuzz-routes aws-local clean

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
	@$(BIN)/python -m tools.sbom --check
	@$(BIN)/python -m pytest -q tests/house

lock: install ## pin the functions' packages with hashes; with UPGRADE=all or UPGRADE=idna newer ones
	@$(BIN)/python -m tools.lock $(if $(UPGRADE),--upgrade $(UPGRADE))
	@$(BIN)/python -m tools.sbom

sbom: install ## list the functions' packages as CycloneDX, out of the lock
	@$(BIN)/python -m tools.sbom

audit: install ## ask PyPI's advisories about the functions' packages (needs the network)
	@$(BIN)/pip-audit --requirement infra/requirements-lambda.lock --require-hashes --disable-pip --strict --progress-spinner off

catalogue: install ## generate catalogue.json, docs/nodes, docs/schemas and the function list
	@$(BIN)/python -m tools.catalogue
	@$(BIN)/python -m tools.function_docs

format: install ## format the code and mend what the linter can
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check --fix -q .

bench: install ## compare with floors measured in the same run
	@$(BIN)/python -m tools.bench

simulate: install ## run SEEDS (20000) schedules of faults, from seed FROM (0); or one with its trace: SEED=17
	@$(BIN)/python -m tools.simulate --seeds $(SEEDS) --first $(FROM) $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json $(JSON))

crashes: install ## let processes die at every call they make, once and twice, on every store (an hour)
	@$(BIN)/python -m tools.crashes $(if $(JSON),--json $(JSON))

kill: install ## kill the embedded server 50 times under load, and count what became of everything (two minutes)
	@$(BIN)/python -m tools.kill

soak: install ## load the embedded server for MINUTES (10) and watch its memory
	@$(BIN)/python -m tools.soak --minutes $(MINUTES)

fuzz: install ## throw malformed input at every parser for SECONDS (60), or INPUTS=300000 of it
	@$(BIN)/python -m tools.fuzz $(if $(INPUTS),--inputs $(INPUTS),--seconds $(SECONDS)) --seed $(FROM) $(if $(JSON),--json > $(JSON))

fuzz-routes: install ## send EXAMPLES (50) valid and as many broken requests to every route, and check every answer
	@$(BIN)/python -m tools.fuzz_routes --examples $(EXAMPLES) --seed $(FROM)

aws-local: install ## deploy to a local AWS on loopback, run flows there, remove everything
	@$(BIN)/python -m tools.aws_local_story

clean: ## remove what was made here
	rm -rf $(VENV) vendor build dist .penstock .pytest_cache .ruff_cache .hypothesis .import_linter_cache .chalice/deployments
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
