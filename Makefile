# Needs git, make and Python >= 3.11; everything else goes into .venv. `make` alone lists the targets.

# how long `make reproduce` recomputes runs from the weights, for example 30m; by default at most 8 minutes
BUDGET ?=
# FULL=1: recompute every run
FULL ?=
# REPLACE=1: redraw the committed figures with parameters, claims or titles that you have changed
REPLACE ?=
# for `make reproduce MODEL=folder`: mini or a VBVR-Bench folder; side and clip length of the mini suite; GPU hours
SUITE ?= mini
PRESET ?= paper
SCALE ?= real
SIZE ?= 480
FRAMES ?= 49
DEVICE ?= cuda
DTYPE ?= bfloat16
HOURS ?= 24
# how the model is loaded, for example LOAD='offload=group storage=fp8 tiling=true'
LOAD ?=
# EXECUTOR=ray computes runs on a Ray cluster: the one at ADDRESS, or one started on this machine
EXECUTOR ?=
ADDRESS ?=
RAY = $(if $(EXECUTOR),--executor "$(EXECUTOR)") $(if $(ADDRESS),--address "$(ADDRESS)")
# when `make train` stops; run it again to continue
TRAIN_BUDGET ?= 3h
# an index that holds the torch wheel to use, for example https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
# PYTHON=/path/to/python: the interpreter that makes .venv
PYTHON ?=

VENV := .venv
INSTALLED := $(VENV)/.installed
BIN := $(VENV)/bin
# Commands that our commands call (dvc, python, jupyter) also come from .venv.
# Threads of OpenMP that wait spin only briefly: on two threads, a neighbour then costs a factor of two, not three.
IN_VENV := PATH="$(CURDIR)/$(BIN):$$PATH" GOMP_SPINCOUNT=$${GOMP_SPINCOUNT:-1000}

# What would shadow the packages of .venv, or turn warnings of Python into errors.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONWARNINGS PYTHONOPTIMIZE PYTHONINSPECT RAY_ADDRESS

.DEFAULT_GOAL := help
.PHONY: help env reproduce figure test fuzz audit lint format lab train results site page clean

help: ## list the targets
	@echo "Chain of Steps: make TARGET [NAME=value]"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  %-10s %s\n' "$$name" "$$text"; done

env: $(INSTALLED) ## make .venv with the tested versions [TORCH_INDEX=url PYTHON=path]

reproduce: $(INSTALLED) ## redraw every figure and verify the stored runs [BUDGET=30m FULL=1 REPLACE=1], or run another MODEL=folder
ifdef MODEL
	$(IN_VENV) $(BIN)/python tools/reproduce_model.py --model "$(MODEL)" --suite "$(SUITE)" --preset "$(PRESET)" \
	  --scale "$(SCALE)" --size="$(SIZE)" --frames="$(FRAMES)" --device "$(DEVICE)" --dtype "$(DTYPE)" --load "$(LOAD)" \
	  --hours="$(HOURS)" $(RAY)
else
	$(IN_VENV) $(BIN)/python tools/reproduce.py $(if $(BUDGET),--budget="$(BUDGET)") $(if $(filter-out 0,$(FULL)),--full) $(if $(filter-out 0,$(REPLACE)),--replace) $(RAY)
endif

figure: $(INSTALLED) ## redraw one figure into scratch/: NAME=1_step_visualization [SAMPLES=5 SEED=8 TASKS="mark, latin"]
	$(IN_VENV) $(BIN)/python tools/pull.py
	$(IN_VENV) $(BIN)/python tools/figure.py "$(NAME)" $(if $(SAMPLES),--samples="$(SAMPLES)") $(if $(SEED),--seed="$(SEED)") \
	  $(if $(TASKS),--tasks="$(TASKS)")

test: lint ## check the style, then run the tests
	$(IN_VENV) $(BIN)/python tools/pull.py
	$(IN_VENV) $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=10

fuzz: $(INSTALLED) ## run 10,000 random cases of every reader, intervention and task; writes benchmarks/fuzz.json
	FUZZ=10000 FUZZ_RECORD=benchmarks/fuzz.json $(IN_VENV) $(BIN)/python -m pytest -q tests/test_fuzz.py

audit: $(INSTALLED) ## look up known vulnerabilities of the tested versions, if the registry can be reached
	$(BIN)/python tools/audit.py

lint: $(INSTALLED) ## check the style
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

format: $(INSTALLED) ## format code and notebooks
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

lab: $(INSTALLED) ## open your own copies of the notebooks in JupyterLab, on this machine only and with a token
	$(IN_VENV) $(BIN)/python tools/pull.py
	$(IN_VENV) $(BIN)/python tools/copies.py

train: $(INSTALLED) ## train the mini model, continuing where it stopped [TRAIN_BUDGET=3h]
	$(IN_VENV) $(BIN)/chain-of-steps train --budget="$(TRAIN_BUDGET)" --resume

site: $(INSTALLED) ## write the story, the ledger and the notebooks as pages under site/; they open as files, one needs a server
	$(IN_VENV) $(BIN)/python tools/pull.py
	$(IN_VENV) $(BIN)/python tools/pages.py

page: $(INSTALLED) ## write build/latin.html, in which symbol networks solve squares and relays in the browser; it opens as a file
	$(IN_VENV) $(BIN)/python tools/pull.py
	$(IN_VENV) $(BIN)/python tools/page.py

results: $(INSTALLED) ## maintainers: compute runs missing in results/, drop outdated ones [EXECUTOR=ray]
	$(IN_VENV) $(BIN)/python tools/reproduce.py --results $(RAY)

clean: ## remove caches and scratch outputs; keep .venv, data and results
	rm -rf build scratch .pytest_cache .ruff_cache .hypothesis
	find src tests tools notebooks benchmarks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} + 2>/dev/null || true

# The first python of the list that is new enough and can make an environment; 3.11, the tested version, comes first.
NEW_ENOUGH := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHONS = $(if $(PYTHON),"$(PYTHON)",python3.11 python3.12 python3.13 python3)
NO_PYTHON := Chain of Steps needs Python 3.11 or newer with its venv module (Debian and Ubuntu: apt install python3-venv); install it, or name one with PYTHON=/path/to/python.

$(INSTALLED): pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  for python in $(PYTHONS); do \
	    if "$$python" -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then \
	      echo "Making $(VENV) with $$("$$python" --version)."; \
	      exec "$$python" -m venv --clear $(VENV); \
	    fi; \
	  done; \
	  echo "$(NO_PYTHON)" >&2; exit 1; }
	@echo "Installing the tested versions of PyTorch, JupyterLab, DVC and the rest into $(VENV). The first time, this downloads several hundred MB and takes a few minutes."
ifneq ($(TORCH_INDEX),)
	$(BIN)/python -m pip install -c constraints.txt --extra-index-url "$(TORCH_INDEX)" torch
else
	@if [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null && ! $(BIN)/python -m pip show -q torch 2>/dev/null; then \
	  echo "This machine has no NVIDIA driver, but the default torch wheel for Linux includes gigabytes of CUDA libraries; to avoid them, stop and run make again with TORCH_INDEX=https://download.pytorch.org/whl/cpu."; fi
endif
	$(BIN)/python -m pip install -c constraints.txt -e '.[large,ray,test,web]'
	@touch $@
