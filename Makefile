# Every target does its own set-up: a virtual environment in .venv with the versions of constraints.txt.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export OMP_NUM_THREADS ?= 1
# Test processes: as many as the cores that the project is for; a file's tests stay together and share their fits.
JOBS ?= 2

.PHONY: reanalysis experiments test torture lint types docs bench grids validate fuzz constraints clean

reanalysis: $(READY)  ## the main job: Yao et al. 2025, from the study file to the report
	$(BIN)/retrial reanalyse study=yao2025

experiments: $(READY)  ## the questions of experiments/: answers and pages (most of an hour)
	$(BIN)/retrial experiment all

test: $(READY)  ## everything but what `make validate` runs
	$(BIN)/python -m pytest -m "not slow" -n $(JOBS) --dist loadfile

torture: $(READY)  ## kills, full disks, flipped bits, closed streams (most of an hour); a short form is in `make test`
	$(BIN)/python -m tests.torture

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory types

types: $(READY)
	$(BIN)/mypy src/retrial models experiments

docs: $(READY)  ## the generated parts of docs/*.md
	$(BIN)/python docs/reference.py

bench: $(READY)  ## speeds, as ratios against plain alternatives in the same run
	$(BIN)/retrial experiment benchmarks

grids: $(READY)  ## time of a reconstruction by patients, recording unit and print, into outputs/grids
	mkdir -p outputs/grids && $(BIN)/python -m retrial.experiments.benchmarks.grids outputs/grids

validate: $(READY)  ## calibration, fidelity and coverage studies (hours)
	$(BIN)/python -m pytest -m slow
	$(BIN)/retrial experiment calibration fidelity coverage multivariable

fuzz: $(READY)  ## changed studies, CSVs, configurations and command lines (hours): nothing but answers and errors in words
	$(BIN)/python -m tests.fuzz.run

$(READY): pyproject.toml constraints.txt
	python=$$(.ci/find-python) && rm -rf $(VENV) && "$$python" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,parallel,slurm]'
	touch $(READY)

constraints: $(READY)  ## write the pinned versions again (names and versions only)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra parallel --extra slurm --universal --upgrade --no-header --no-annotate --no-emit-index-url --output-file constraints.txt

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
