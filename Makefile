# C code is optimised in debug builds too: docs/decisions/0006-optimised-c.md says why.
SWIFT_FLAGS = -Xcc -O2
# So many tests run beside each other. With all of them at the same time on two cores, leases lapse between their renewals.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH = 8
# Flags of `make demo`, `make chaos` and `make soak`.
ARGS ?=

SWIFT_SOURCES = $(wildcard Plugins Sources Tests Benchmarks examples/swift) Package.swift

.PHONY: help demo build check test test-swift test-long sanitize chaos spec lint format bench bench-webhooks bench-compare soak release package test-package clean

help: ## Lists the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## Builds, and serves a demonstration on this machine, with a ready account: make demo ARGS="--port 9000"
	scripts/install-dependencies
	swift build $(SWIFT_FLAGS)
	exec .build/debug/keybearer demo $(ARGS)

build: ## Builds keybearer for debugging.
	scripts/install-dependencies
	swift build $(SWIFT_FLAGS)

# The suites of the server that `make check` leaves out: they need PostgreSQL, or take long.
CHECK_SKIPS = FuzzTests|StolenCredential|RaceTests|SignInAgainTests|AuthenticationTableTests|GateTests|IntrospectionTests|APITests

check: lint ## Lint, and the tests that need no other program: two minutes after a build.
	swift build --build-tests $(SWIFT_FLAGS)
	swift test --skip-build $(SWIFT_FLAGS) --filter '^KeybearerTests\.'
	swift test --skip-build $(SWIFT_FLAGS) --filter '^ServerTests\.' --skip '$(CHECK_SKIPS)'

test: ## Every test but the long ones.
	scripts/install-dependencies --test
	swift build --build-tests $(SWIFT_FLAGS)
	scripts/with-postgres $(MAKE) --no-print-directory test-swift
	swift test -c release --package-path Tests/Simulations $(SWIFT_FLAGS)
	scripts/run-python-tests

# Beside a PostgreSQL. One after another: tests that keep the machine busy, and tests that wait for real servers. A target
# that no line names runs with the first.
test-swift: ## The tests in Swift alone, beside a PostgreSQL: scripts/with-postgres make test-swift
	swift test --skip-build $(SWIFT_FLAGS) --skip '^(ServerTests|StoreTests|EndToEndTests)\.'
	swift test --skip-build $(SWIFT_FLAGS) --filter '^ServerTests\.' --skip FuzzTests
	swift test --skip-build $(SWIFT_FLAGS) --filter FuzzTests
	swift test --skip-build $(SWIFT_FLAGS) --filter EndToEndTests
	swift test --skip-build $(SWIFT_FLAGS) --filter StoreTests --skip LongTests

lint: ## Form, imports of the modules, SQL, sizes, the test of every file, and the words that are used.
	scripts/install-dependencies --lint
	swift format lint --strict -r $(SWIFT_SOURCES)
	scripts/lint-imports
	scripts/lint-sql
	scripts/lint-size
	scripts/lint-tests
	scripts/lint-vocabulary

format: ## Brings every Swift file into the form that lint wants.
	swift format --in-place -r $(SWIFT_SOURCES)

chaos: ## Faults at random on three nodes and one PostgreSQL: make chaos ARGS="--seed 7 --minutes 10"
	scripts/install-dependencies --test
	swift build $(SWIFT_FLAGS)
	scripts/run-chaos $(ARGS)

# What takes long: many rows (a million audit events among them), 100,000 users with
# their keys from a file, the wrong clocks with more seeds, ten minutes of faults, and the dashboard's tests twice more below
# a path of the product's host (behind an nginx that strips it, and one that does not); three minutes of the soak on each engine; and the package, in new Debian
# systems.
test-long: ## The long tests: many rows, random histories, faults, the dashboard below a path, the package.
	scripts/install-dependencies --test
	swift build --build-tests $(SWIFT_FLAGS)
	KEYBEARER_TEST_LONG=1 scripts/with-postgres swift test --skip-build $(SWIFT_FLAGS) --filter 'LongTests|WrongClock'
	swift build $(SWIFT_FLAGS)
	scripts/run-chaos --seed 7 --minutes 10
	scripts/run-soak --minutes 3
	KEYBEARER_TEST_LONG=1 scripts/run-python-tests gateways test_connections.py -k flood
	KEYBEARER_TEST_LONG=1 scripts/run-python-tests product -o faulthandler_timeout=1800 test_import.py test_many_rows.py
	KEYBEARER_TEST_PLACE=stripped scripts/run-python-tests browser
	KEYBEARER_TEST_PLACE=whole scripts/run-python-tests browser
	$(MAKE) --no-print-directory test-package

# Two builds of their own.
sanitize: ## The tests under AddressSanitizer, with ten million inputs for each parser, and under ThreadSanitizer.
	scripts/install-dependencies --test
	scripts/run-sanitized address
	scripts/run-sanitized thread

bench-compare: ## Compares the speed of two commits: make bench-compare BASE=364e81c
	scripts/install-dependencies
	scripts/bench-compare "$(BASE)"

spec: ## Checks the model of the revocation fence, and what goes wrong without each of its parts.
	scripts/install-dependencies --spec
	spec/run

bench: ## Measures how fast it is, and writes docs/benchmarks.
	scripts/install-dependencies
	scripts/run-benchmarks

soak: ## Half of the capacity for half an hour on each engine: make soak ARGS="--minutes 3"
	scripts/install-dependencies
	scripts/run-soak $(ARGS)

bench-webhooks: ## Measures how fast webhooks are delivered, and what they cost others.
	scripts/install-dependencies
	scripts/run-webhook-benchmarks

release: ## Builds keybearer for release, in .build-release.
	scripts/install-dependencies
	swift build -c release --scratch-path .build-release --product keybearer

package: ## Builds the Debian package and the tarball, in dist.
	scripts/install-dependencies --package
	scripts/build-package

test-package: package ## Installs the package in new Debian systems, and runs it there, as root.
	scripts/install-dependencies --test
	scripts/test-package

clean: ## Removes what was built.
	rm -rf dist .build .build-package .build-release .build-sanitized Tests/Simulations/.build Benchmarks/.build Benchmarks/.venv
