# A fresh machine with Python (3.11 or newer, with venv) and make needs nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SPARK := $(VENV)/.spark

.PHONY: demo test readme check bench clean

demo: $(READY)
	$(BIN)/autarky demo --out autarky-demo

test: $(READY) $(SPARK)
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/test_docs.py

readme: $(READY)
	$(BIN)/python -m pytest tests/test_docs.py

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# An hour, and 35 GB of disk.
bench: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.lock
	$(BIN)/python benchmarks/run.py

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

# Half a gigabyte that is of use only beside Java; without it the tests of Spark are skipped and say so.
$(SPARK): $(READY) requirements-spark.lock
	if command -v java >/dev/null; then \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-spark.lock; fi
	touch $@

clean:
	rm -rf $(VENV) autarky-demo build dist
