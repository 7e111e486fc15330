"""Commands: one file each, with `SUMMARY`, `arguments(parser)` and `call(args) -> exit code`; found by folder.

A command parses, calls and prints.  Heavy modules are imported inside `call`, so that `--help` starts at once.
"""
