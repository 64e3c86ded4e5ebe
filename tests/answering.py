"""Asking the questions of a suite on the command line, and a program that answers them; for tests of what happens."""

from longpanda.cli.main import main

NEVER = """
import json, os, sys, time
for number, line in enumerate(sys.stdin):
    if number == 3:
        time.sleep(float(os.environ.get("NAP_SECONDS", "0")))
    print(json.dumps({"answer": "never"}), flush=True)
"""
"""Says "never" to everything, and may sleep over the fourth question."""


def run(suite, out, *more):
    """`longpanda longwatch run`, and how it ends."""
    return main(["longwatch", "run", str(suite), "--out", str(out), *more])
