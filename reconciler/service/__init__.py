"""Wires the service: the only package, with the commands and the demo, that knows streams and store."""
