# make install   an environment of its own in .venv, with the versions of constraints.txt
# make demo      stand-ins, a profile, one run, the pages: ORDERS=200 PORT=8080
# make test      the whole suite; the browser tests need Chromium
# make check     format, lint, types and the quick unit tests on SQLite: before every commit
# make bench     how fast it is
# make count     how many lines a plugin has, and how many came or changed outside it
# make words     bring the catalogues of translations up to date
# make pictures  take the README's pictures anew, with Chromium
# make lock      write constraints.txt anew, from the newest versions that setup.cfg allows
# make clean     remove what was made; the data folder var/ stays

PYTHON ?= python3
ORDERS ?= 200
PORT ?= 8080

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
UNIT := $(wildcard tests/connector tests/profiles tests/scheduler tests/admin)
# whole processes, killed and started again and again, thousands of odd inputs, the stand-ins themselves, the widest pages
# (besides, single tests are marked slow): `make test` runs them
SLOW := tests/scheduler/test_many_planners.py \
	tests/scheduler/test_clock.py tests/profiles/test_machine.py tests/connector/test_papers_to_books.py \
	$(addprefix tests/connector/plentyone/test_,exactly_once.py following.py) \
	$(addprefix tests/connector/magento/test_,cursor.py matrix.py placing.py acting.py refunding.py) \
	$(wildcard tests/connector/refurbed/test_procedures_*.py) \
	$(addprefix tests/admin/test_,demo.py fuzz.py cli.py records.py pages.py options.py procedures.py connections.py profiles.py \
	users.py login.py)
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal

# without bytecode every test process compiles the tests anew, pytest's assertions too: 10 s each
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test check bench count words pictures lock clean

install: $(INSTALLED)

$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

demo: install
	$(BIN)/connector demo --orders $(ORDERS) --port $(PORT)

test: install
	$(PYTEST)

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST) -q -m 'not slow' -k 'not postgresql' --ignore-glob '*browser*' $(addprefix --ignore=,$(SLOW)) $(UNIT)

bench: install
	for file in bench/*.py; do echo "$$file"; $(BIN)/python "$$file" || exit 1; done

count: install
	$(BIN)/python docs/count.py

words: install
	$(BIN)/python -m admin.translations.extract

pictures: install
	$(BIN)/python -m tests.browser.pictures

lock:
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	build/lock/bin/python -m pip freeze --exclude-editable > constraints.txt
	rm -rf build/lock

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
