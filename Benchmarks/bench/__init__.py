"""Measures Keybearer beside its peers on one machine: scripts/run-benchmarks is the way in."""
