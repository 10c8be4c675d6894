"""Gateways and reverse proxies in front of a real server."""
