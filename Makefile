# Each command sets up first whatever is missing; scripts/_setup.sh does that and says what it cannot find.
#
#   make round ARGS="--policy capability --seed 3"      options go to the command through ARGS
#   make PYTHON=python3.12 setup                          another Python than python3

export PATH := $(CURDIR)/.venv/bin:$(PATH)
.DEFAULT_GOAL := help

# Expands to nothing once all is set up. If something is missing it ends make with the set-up's one line, where a failed
# recipe would add make's own. Make expands it under -n, -q and -t as well: then it is a line to look at, and nothing runs.
ready = $(if $(only_look),$(set_up),$(call stop_if,$(shell $(set_up))))
set_up = PYTHON="$(PYTHON)" scripts/_setup.sh
stop_if = $(if $(1),$(error $(1)))
flags := $(firstword -$(MAKEFLAGS))
only_look := $(findstring n,$(flags))$(findstring q,$(flags))$(findstring t,$(flags))

.PHONY: help
help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

.PHONY: round
round: ## a whole round: fund, choose, train, pay (ARGS="--help" shows its options)
	$(ready)
	@ape run crowdfund_round $(ARGS)

# One process more than there are cores, for some tests wait: for blocks, for a browser. Each computes with one thread:
# two that share a core wait for each other. What they start, some hundred processes, finds modules compiled.
.PHONY: test
test: ## every test (ARGS="-k settle" picks some)
	$(ready)
	@OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= ape test --dist loadfile \
		--numprocesses "$$(python -c 'import os; print(min(4, os.cpu_count() + 1))')" $(ARGS)

.PHONY: portable
portable: ## the numeric tests as older CPUs compute them (ARGS=--short for a few)
	$(ready)
	@python scripts/_portable.py $(ARGS)

.PHONY: prove
prove: ## proofs, invariants, long searches, mutation check: hours (ARGS="halmos slither" picks some)
	$(ready)
	@python scripts/_prove.py $(ARGS)

.PHONY: consortium
consortium: ## six members in processes of their own, two rounds, an S3 store (ARGS="--kill bob --mute alice")
	$(ready)
	@python -m analysis.consortium $(ARGS)

.PHONY: kills
kills: ## 50 SIGKILLs at random moments and one a phase: every round ends as undisturbed (ARGS="--seed 7")
	$(ready)
	@python -m analysis.consortium.kills $(ARGS)

.PHONY: figures
figures: ## the paper's figures and ours, in small settings (ARGS=truth picks one)
	$(ready)
	@python -m analysis.figures --quick $(ARGS)

.PHONY: bench-training
bench-training: ## training beside a plain loop, Flower and pfl-research (ARGS="--data-dir DIR")
	$(ready)
	@python -m analysis.benchmarks.training compare $(ARGS)

.PHONY: lint
lint: ## style and types: ruff, mypy, forge fmt
	$(ready)
	ruff check
	ruff format --check
	mypy
	forge fmt --check

.PHONY: format
format: ## mend what lint can mend itself
	$(ready)
	ruff check --fix
	ruff format
	forge fmt

.PHONY: setup
setup: ## only set up
	$(ready)
	@echo "Set up. Activate with: . .venv/bin/activate"

.PHONY: lock
lock: ## pin anew what requirements.in and package.json ask for
	$(ready)
	TMPDIR=$(CURDIR)/.cache RUSTUP_HOME=$(CURDIR)/.cache python scripts/_lock.py
	npm install --package-lock-only --cache .cache/npm

.PHONY: clean
clean: ## back to a fresh clone, but for key files, deployments and rounds
	rm -rf .venv .bench .cache .build node_modules .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf .ape/packages .ape/processes
