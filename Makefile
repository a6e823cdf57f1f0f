# The one interface to everything: `make help`.
# Works on Debian and Ubuntu with Python >= 3.11, git and make; the rest is installed into this folder.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOG    := $(VENV)/install.log
NODE_DIRS := client_js tests/interop
JAVA_LIB := tests/interop/java/lib

# Node.js 20 or newer: the system's, else the one that `make test` puts here.
NODE_HOME := .node
export PATH := $(CURDIR)/$(NODE_HOME)/node_modules/.bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help run test test-all coverage protocol-coverage check lint types format schema bundle bench clean parts

# Percent: of all branches of the relay its own tests take so many; of those of relay/protocol and relay/wire, their own take all.
RELAY_FLOOR := 98
PROTOCOL_FLOOR := 100
# The tests wait most of the time, for processes, browsers and virtual machines: two at once take half as long, on two cores.
SIDE_BY_SIDE := -n 2 --dist loadfile
PURE := relay/protocol relay/wire

help: ## show this
	@echo "Pushdesk: a realtime relay that speaks the Pusher protocol, and a support desk on top of it"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'
	@echo
	@echo "Set by the environment (docs/configuration.md lists all):"
	@echo "  RELAY_HOST, RELAY_PORT                             where the relay listens (127.0.0.1, 6001)"
	@echo "  RELAY_APP_ID, RELAY_APP_KEY, RELAY_APP_SECRET      the relay's app (1, app-key, app-secret: loopback only)"
	@echo "  RELAY_CONSOLE_PORT                                 a page that shows what happens, live (off)"
	@echo "  RELAY_CONFIG, SUPPORT_CONFIG                       settings from a TOML file"
	@echo "  SUPPORT_HOST, SUPPORT_PORT                         where the support desk listens (127.0.0.1, 8080)"
	@echo "  SUPPORT_DATABASE_URL                               where the data is (sqlite:///data/pushdesk.sqlite3)"
	@echo "  SUPPORT_RELAY_URL, SUPPORT_RELAY_APP_ID|KEY|SECRET the relay that the desk uses"
	@echo "  SUPPORT_SECRET_KEY                                 signs the log-ins (development only without it)"
	@echo "  PYTHON                                             the Python to use (python3)"

run: $(VENV)/.run ## start relay, support desk, demo page and operator's panel
	@exec $(BIN)/pushdesk-desk demo

test: $(VENV)/.dev parts protocol-coverage ## install what the tests need, and run them all but for the long ones
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(PURE:%=--ignore=tests/%)
	cd client_js && npm test

# FUZZ_SECONDS and SOAK_SECONDS say for how long (60 and 300), FUZZ_SEED and SOAK_SEED repeat what failed.
test-all: test coverage ## the same, the relay's coverage, and the long ones: state machine, SDKs over two nodes, fuzzing, soak (20 minutes more)
	$(BIN)/python -m pytest -m long

coverage: protocol-coverage ## how many branches of the relay its tests take; too few are an error
	$(BIN)/python -m pytest tests/relay $(PURE:%=--ignore=tests/%) --cov=relay --cov-append --cov-report=
	$(BIN)/coverage report --include='relay/*' --fail-under=$(RELAY_FLOOR)

# Runs the tests of relay/protocol and relay/wire as well: `test` need not run them twice.
protocol-coverage: $(VENV)/.dev
	$(BIN)/python -m pytest $(PURE:%=tests/%) --cov=relay --cov-report=
	$(BIN)/coverage report --include='relay/protocol/*,relay/wire/*' --fail-under=$(PROTOCOL_FLOOR)

check: $(VENV)/.dev $(NODE_DIRS:%=%/node_modules/.installed) lint types ## everything that can be checked without running it

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	@if grep -l '"resolved"' $(NODE_DIRS:%=%/package-lock.json); then echo "a lock file carries a registry's address"; exit 1; fi
	cd client_js && npm run --silent check

types:
	$(BIN)/mypy

format: $(VENV)/.dev ## format the Python code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: $(VENV)/.run ## write schema.sql from the code
	$(BIN)/python -m support_api schema >schema.sql

bundle: client_js/node_modules/.installed ## write support_api/static and relay/console/static from the sources
	cd client_js && npm run --silent bundle

bench: $(VENV)/.dev ## what the load generator can do (docs/performance.md)
	$(BIN)/python -m bench --help

clean: ## remove what was installed and built; the data folder stays
	rm -rf $(VENV) $(NODE_HOME) $(NODE_DIRS:%=%/node_modules) $(JAVA_LIB) *.egg-info .coverage .*_cache .hypothesis

# --- what is installed, and when again -------------------------------------------------------------------------------

define install
	@echo "Installing Pushdesk's Python packages into $(VENV) (once, about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --retries 1 --timeout 20 \
	   -c constraints.txt -e '$(1)' >$(LOG) 2>&1 \
	 || { echo "Could not install the Python packages: is the package index reachable? Details: $(LOG)" >&2; exit 1; }
	@touch $@
endef

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON): install Python 3.11 or newer, or say make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	 || { echo "Pushdesk needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V 2>&1): say make PYTHON=python3.12, for example" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(MAKE) --no-print-directory venv-package
	@$(PYTHON) -m venv $(VENV)

# Debian and Ubuntu keep a part of the standard library in a package of its own.
.PHONY: venv-package
venv-package:
	@package=python$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv; \
	if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq $$package >/dev/null; \
	else echo "Python's venv module is missing. Run: sudo apt-get install $$package" >&2; exit 1; fi

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(call install,.)

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(call install,.[dev])
	@touch $(VENV)/.run

%/node_modules/.installed: %/package-lock.json | node
	@echo "Installing the Node packages of $* ..."
	@cd $* && npm ci --silent --no-audit --no-fund --ignore-scripts \
	 || { echo "Could not install the Node packages of $*: is the package registry reachable?" >&2; exit 1; }
	@touch $@

parts: node chromium nginx redis postgres java php $(NODE_DIRS:%=%/node_modules/.installed)

.PHONY: node chromium nginx redis postgres java php
node:
	@command -v npm >/dev/null || $(MAKE) --no-print-directory debian PACKAGE="nodejs npm"
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' \
	 || { echo "Installing Node.js 22 into $(NODE_HOME) (the system's $$(node --version) is too old) ..."; \
	      npm install --silent --no-audit --no-fund --prefix $(NODE_HOME) node@22 >/dev/null; }

chromium:
	@command -v chromium >/dev/null || $(MAKE) --no-print-directory debian PACKAGE=chromium

# Only its program: RUNLEVEL=1 has Debian leave the service alone, which would listen on port 80.
nginx:
	@test -x /usr/sbin/nginx || RUNLEVEL=1 $(MAKE) --no-print-directory debian PACKAGE=nginx-light

# Only its program, likewise: the tests start servers of their own.
redis:
	@command -v redis-server >/dev/null || RUNLEVEL=1 $(MAKE) --no-print-directory debian PACKAGE=redis-server

# Likewise: no cluster of Debian's own is made or started.
postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null \
	 || RUNLEVEL=1 $(MAKE) --no-print-directory debian PACKAGE=postgresql

# Without Java or PHP the tests of their SDKs are left out, which the last line of the tests says; with CI=true they fail.
java:
	@command -v javac >/dev/null && command -v mvn >/dev/null \
	 || $(MAKE) --no-print-directory debian PACKAGE="default-jdk-headless maven" || true
	@! { command -v javac && command -v mvn; } >/dev/null || $(MAKE) --no-print-directory $(JAVA_LIB)/.installed || true

$(JAVA_LIB)/.installed: tests/interop/java/pom.xml
	@echo "Installing the Maven packages of tests/interop/java ..."
	@mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=lib -DincludeScope=runtime >$(LOG) 2>&1 \
	 || { echo "Could not install the Maven packages: is the repository reachable? Details: $(LOG)" >&2; exit 1; }
	@touch $@

php:
	@php -m 2>/dev/null | grep -qx curl || $(MAKE) --no-print-directory debian PACKAGE="php-cli php-curl" || true

.PHONY: debian
debian:
	@if [ "$$(id -u)" = 0 ]; then echo "Installing $(PACKAGE) ..."; \
	   apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(PACKAGE) >/dev/null; \
	 else echo "The tests need $(PACKAGE). Run: sudo apt-get install $(PACKAGE)" >&2; exit 1; fi
