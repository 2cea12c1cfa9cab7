"""The groups of the command line, one module each; `cli` puts them together.

A command reads arguments, calls what does the work, and prints: for people, or with --json for
programs. docs/cli.md lists them with their exit codes.
"""
