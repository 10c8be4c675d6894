"""Installs the Debian package in new Debian systems: see scripts/test-package."""
