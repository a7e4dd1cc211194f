# The course in one command. Every target sets up what it needs, and may be run again.
#
# All paths are relative and no program is started through a script of the environment, so that a folder with
# a space in its name works too.

PYTHON ?= python3
PIP_FLAGS ?=
LAB_FLAGS ?=
TEST_FLAGS ?=
# of the notebooks in the tests: 1 trains as long as `make course` does
EFFORT ?= 0.1
# which build of PyTorch Linux gets: cpu, auto (what this machine's GPU needs), or pip (whatever pip takes)
TORCH ?= cpu

PY := .venv/bin/python
READY := .venv/installed
SITE := .venv/site
ALL := .venv/all
DEV := .venv/dev
TWO := -n 2 --dist loadscope --no-loadscope-reorder
THREE := -n 3 --dist loadscope --no-loadscope-reorder

# the environment's own kernel comes before one of the same name in the reader's home
export JUPYTER_PREFER_ENV_PATH := 1
# a backend chosen for scripts would hide the figures of the notebooks
unexport MPLBACKEND
# a locale without UTF-8 spoils files and pipes, and -O takes asserts away
export PYTHONUTF8 := 1
unexport PYTHONOPTIMIZE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help lab copies course book slides release test test-all edit execute records lint clean FORCE

help:
	@echo "make lab      open your own copies of the notebooks in JupyterLab, in my_notebooks/"
	@echo "make copies   make these copies or bring them up to date, for VS Code or another program"
	@echo "make course   run every notebook and put the results into build/course/"
	@echo "make book     the notebooks as a book of web pages, in build/book/"
	@echo "make slides   a deck of slides for each notebook, in build/slides/"
	@echo "make release  book and slides in one archive to publish, in build/"
	@echo "make test     run the tests, every notebook included; at the end it says what was skipped"
	@echo "make test-all the same, with what the tests of the book, the slides and grading need"
	@echo "make edit     NOTEBOOK=03 as text in your editor, and back"
	@echo "make execute  run every notebook in place, ready to be committed"
	@echo "make lint     check the code, in the notebooks too"
	@echo "make clean    remove .venv, build/ and caches; my_notebooks/ stays"

lab: $(READY)
	@$(PY) -m gencourse lab -- $(LAB_FLAGS)

copies: $(READY)
	@$(PY) -m gencourse copies

course: $(READY)
	@$(PY) -m gencourse execute --to build/course

book: $(SITE)
	@$(PY) docs/build.py book

slides: $(SITE)
	@$(PY) docs/build.py slides

release: book slides
	@$(PY) docs/build.py release

# in processes of one thread: the tests in three, for some of them wait, then the notebooks in two, which compute
test: $(READY)
	OMP_NUM_THREADS=1 $(PY) -m pytest $(THREE) $(TEST_FLAGS) tests
	OMP_NUM_THREADS=1 $(PY) -m pytest $(TWO) -p tests.conftest --nbval-lax --nbval-current-env --nbval-cell-timeout=600 --effort=$(EFFORT) $(TEST_FLAGS) notebooks
	@echo; cat .pytest_cache/d/not-tested/summary.txt 2>/dev/null || true

# with the Python packages of the book, the slides and grading; npm and Chromium come from the system
test-all: $(ALL)
	@$(MAKE) test

# a notebook as text, opened in $VISUAL or $EDITOR, and turned back when that is closed; its outputs and ids stay
edit: $(DEV)
	@set -e; path="$$(ls notebooks/$(NOTEBOOK)*.ipynb 2>/dev/null)" && test -f "$$path" || { \
	  echo "'$(NOTEBOOK)' names no notebook, or several: make edit NOTEBOOK=03"; exit 1; }; \
	text="build/edit/$$(basename "$$path" .ipynb).py"; mkdir -p build/edit; \
	$(PY) -m jupytext --quiet --to py:percent --opt cell_metadata_filter=all "$$path" -o "$$text"; \
	$${VISUAL:-$${EDITOR:-vi}} "$$text"; \
	$(PY) -m jupytext --quiet --to ipynb --update "$$text" -o "$$path"; \
	echo "$$path is changed. Run it: $(PY) -m gencourse execute $$path"

execute: $(READY)
	@$(PY) -m gencourse execute

# as execute, and keeps what each notebook took, in gencourse/course/timings.json; refused on a machine that is not idle
records: $(READY)
	@$(PY) -m gencourse execute --record

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

clean:
	rm -rf .venv build gencourse.egg-info .pytest_cache .ruff_cache
	find gencourse tests notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# The stamp names the folder it was made in: an environment that was copied or moved along is made again. It is
# written last, so that an installation that was interrupted is taken up again.
ifneq ($(shell test -x $(PY) && $(PY) -c "" && test "$$(cat $(READY) 2>/dev/null)" = "$$(pwd -P)" && echo ready),ready)
$(READY): FORCE
endif

# On Linux pip brings gigabytes of libraries for GPUs along with PyTorch; uv knows where its makers keep the build without.
# Whoever has told pip where to look, or has a PyTorch already, is left alone.
define SMALL_TORCH
if test "$$(uname -s)" = Linux -a "$(TORCH)" != pip -a -z "$(PIP_FLAGS)" && \
  ! $(PY) -m pip config list | grep -E 'index|find-links' >/dev/null && ! $(PY) -m pip show -qq torch; then \
  $(PY) -m pip install -c constraints.txt uv && \
  $(PY) -m uv pip install --python $(PY) --torch-backend $(TORCH) -c constraints.txt torch || \
  echo "The small build of PyTorch could not be fetched; pip's own brings gigabytes of libraries for GPUs."; \
fi
endef

$(READY): pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "The course needs Python 3.11 or newer; '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1 || true)."; \
	  echo "Name a newer one: make $(firstword $(MAKECMDGOALS)) PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' comes without its venv module. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@rm -f $(READY)
	@echo "Setting up .venv (once; some minutes)"
	@$(PY) -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || "$(PYTHON)" -m venv --clear .venv
	@$(SMALL_TORCH)
	$(PY) -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[test]"
	@# no question about fetching news from the network
	@$(PY) -m jupyterlab.labextensions disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements" 2>/dev/null
	@pwd -P > $(READY)

# what the book and the slides need beside the course; npm packages are fetched by docs/build.py
$(SITE): pyproject.toml constraints.txt $(READY)
	$(PY) -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[site]"
	@touch $(SITE)

$(DEV): pyproject.toml constraints.txt $(READY)
	$(PY) -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[dev]"
	@touch $(DEV)

$(ALL): pyproject.toml constraints.txt $(READY)
	$(PY) -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[site,grade]"
	@touch $(SITE) $(ALL)
