# C code is optimised in debug builds too: docs/decisions/0006-optimised-c.md says why.
SWIFT_FLAGS = -Xcc -O2
# Flags of the demonstration: make demo ARGS="--port 9000"
ARGS ?=

SWIFT_SOURCES = $(wildcard Plugins Sources Tests Benchmarks examples/swift) Package.swift

.PHONY: demo build test test-swift test-long chaos spec lint format bench bench-compare release clean

demo:
	scripts/install-dependencies
	swift build $(SWIFT_FLAGS)
	exec .build/debug/keybearer demo $(ARGS)

build:
	scripts/install-dependencies
	swift build $(SWIFT_FLAGS)

test:
	scripts/install-dependencies --test
	swift build --build-tests $(SWIFT_FLAGS)
	scripts/with-postgres $(MAKE) --no-print-directory test-swift
	swift test -c release --package-path Tests/Simulations $(SWIFT_FLAGS)
	scripts/run-browser-tests
	scripts/run-gateway-tests
	scripts/run-cluster-tests

# Beside a PostgreSQL. One after another: tests that keep the machine busy, and tests that wait for real servers. A target
# that no line names runs with the first.
test-swift:
	swift test --skip-build $(SWIFT_FLAGS) --skip '^(ServerTests|StoreTests|EndToEndTests)\.'
	swift test --skip-build $(SWIFT_FLAGS) --filter '^ServerTests\.' --skip FuzzTests
	swift test --skip-build $(SWIFT_FLAGS) --filter FuzzTests
	swift test --skip-build $(SWIFT_FLAGS) --filter EndToEndTests
	swift test --skip-build $(SWIFT_FLAGS) --filter StoreTests --skip LongTests

lint:
	scripts/install-dependencies --lint
	swift format lint --strict -r $(SWIFT_SOURCES)
	scripts/lint-imports
	scripts/lint-sql

format:
	swift format --in-place -r $(SWIFT_SOURCES)

# Faults at random on three nodes and one PostgreSQL: make chaos ARGS="--seed 7 --minutes 10"
chaos:
	scripts/install-dependencies --test
	swift build $(SWIFT_FLAGS)
	scripts/run-chaos $(ARGS)

# What takes long: many rows, the wrong clocks with more seeds, ten minutes of faults, and the tests under AddressSanitizer
# (with ten million inputs for each parser and 100,000 hostile HTTP/2 connections) and under ThreadSanitizer.
test-long:
	scripts/install-dependencies --test
	swift build --build-tests $(SWIFT_FLAGS)
	KEYBEARER_TEST_LONG=1 scripts/with-postgres swift test --skip-build $(SWIFT_FLAGS) --filter 'LongTests|WrongClock'
	swift build $(SWIFT_FLAGS)
	scripts/run-chaos --seed 7 --minutes 10
	KEYBEARER_TEST_LONG=1 scripts/run-gateway-tests test_connections.py -k flood
	scripts/run-sanitized address
	scripts/run-sanitized thread

# Two commits side by side: make bench-compare BASE=364e81c
bench-compare:
	scripts/install-dependencies
	scripts/bench-compare "$(BASE)"

# The model of the revocation fence, and of what goes wrong without each of its parts.
spec:
	scripts/install-dependencies --spec
	spec/run

bench:
	scripts/install-dependencies
	scripts/run-benchmarks

release:
	scripts/install-dependencies
	swift build -c release --scratch-path .build-release --product keybearer

clean:
	rm -rf .build .build-release .build-sanitized Tests/Simulations/.build Benchmarks/.build Benchmarks/.venv
