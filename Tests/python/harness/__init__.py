"""Starts what the tests and the benchmarks run: Keybearer, other servers, PostgreSQL; and speaks HTTP to them.

One module for one noun. Nothing here needs a package that Python does not bring along.
"""
