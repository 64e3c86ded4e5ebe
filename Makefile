# Needs only make and Python 3.11 or newer. `make` alone lists the targets.
# To use another Python: make install PYTHON=/path/to/python. Other package sources: make install PIP_OPTIONS="--index-url ...".

VENV := .venv
BIN := $(VENV)/bin
PYTHONS := $(if $(PYTHON),$(PYTHON),python3.11 python3.12 python3.13 python3.14 python3 python)
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_OPTIONS)

# One thread per process: two busy processes with two torch threads each are ten times slower on two cores (docs/log.md).
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
WORKERS ?= 2

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test check format bench long tables clean

help: ## list the targets
	@echo "LongPanda: make TARGET"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/installed ## make .venv with all development dependencies

demo: $(VENV)/core ## render a new video and let the bundled model answer questions about it
	@$(BIN)/longpanda demo

test: $(VENV)/installed ## run the tests (WORKERS=2, ARGS="-k name")
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

check: $(VENV)/installed ## check lint, format and types without changing files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed ## fix lint and format with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed ## measure speed, memory and scores, then write the tables (an hour; PEERS_PYTHON=...)
	$(BIN)/python -m benchmarks.stab
	$(BIN)/python -m benchmarks.stab --only "stab paper" --rounds 5 --out benchmarks/results/stab_forms_cpu.json
	$(BIN)/python -m benchmarks.scan
	$(BIN)/python -m benchmarks.ask
	$(BIN)/python -m benchmarks.nano
	$(BIN)/python -m benchmarks.film
	$(BIN)/python -m benchmarks.decode $(if $(PEERS_PYTHON),--peers-python $(PEERS_PYTHON))
	$(BIN)/python -m benchmarks.index
	$(BIN)/python -m benchmarks.tables

long: $(VENV)/installed ## run the ablation of compressors and, if runs/nano-long is trained, its needle test (hours)
	$(ONE_THREAD) $(BIN)/python -m benchmarks.ablation
	test ! -e runs/nano-long/model || $(ONE_THREAD) $(BIN)/python -m benchmarks.long_nano --only needle
	$(BIN)/python -m benchmarks.tables

tables: $(VENV)/installed ## write the tables in README.md and docs/ from benchmarks/results/*.json
	$(BIN)/python -m benchmarks.tables

clean: ## remove .venv and caches, but not runs/
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache

# What a user needs. `installed` includes it.
$(VENV)/core: pyproject.toml constraints.txt
	@$(make_venv)
	@echo "installing LongPanda (one or two minutes the first time) ..."
	@$(PIP_INSTALL) -e .
	@$(refuse_packages)
	@touch $@

$(VENV)/installed: pyproject.toml constraints.txt
	@$(make_venv)
	@echo "installing LongPanda and its development tools (about two minutes the first time) ..."
	@$(PIP_INSTALL) -e '.[dev]'
	@$(refuse_packages)
	@touch $(VENV)/core $@

# Use the first Python that is new enough and can make virtual environments.
define make_venv
set -e; \
if [ ! -x $(BIN)/python ]; then \
  for python in $(PYTHONS); do \
    if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
      echo "making $(VENV) with $$("$$python" --version)"; exec "$$python" -m venv $(VENV); \
    fi; \
  done; \
  echo "error: none of these is Python 3.11 or newer and can make virtual environments:" >&2; \
  for python in $(PYTHONS); do echo "  $$python: $$("$$python" --version 2>&1 | head -n 1)" >&2; done; \
  echo "install one (Debian, Ubuntu: apt-get install python3 python3-venv), or choose one: make install PYTHON=/path/to/python" >&2; \
  exit 1; \
fi
endef

# Packages that must not be in .venv: torchvision has broken `import transformers`, and GPU packages have broken every
# model beside a CPU build of torch.
define refuse_packages
set -e; \
packages=$$($(BIN)/python -m pip list --disable-pip-version-check --format=freeze); \
if echo "$$packages" | grep -qi '^torchvision='; then \
  echo "error: torchvision is in $(VENV). Unless it matches torch exactly, every import of transformers fails;" >&2; \
  echo "LongPanda does not need it. Run: $(BIN)/python -m pip uninstall torchvision, and avoid packages that require it." >&2; \
  exit 1; \
fi; \
cuda=$$(echo "$$packages" | grep -oiE '^(triton|nvidia-[a-z0-9-]+)=' | tr -d = | tr '\n' ' ' || true); \
if [ -n "$$cuda" ] && echo "$$packages" | grep -q '^torch=.*+cpu'; then \
  echo "error: GPU packages beside a CPU build of torch: $$cuda" >&2; \
  echo "triton makes transformers choose GPU kernels that fail here, and nvidia-* takes gigabytes for no use." >&2; \
  echo "Run: $(BIN)/python -m pip uninstall $$cuda" >&2; \
  exit 1; \
fi; \
if [ -n "$$cuda" ]; then \
  echo "note: pip chose the CUDA build of torch with triton and nvidia-* (gigabytes). Without a GPU, use instead:"; \
  echo "  make clean install PIP_OPTIONS='--extra-index-url https://download.pytorch.org/whl/cpu'"; \
fi
endef
