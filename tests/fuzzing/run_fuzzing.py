"""Fuzz everything that is fuzzed, and print a table: `make fuzz`.

python tests/fuzzing/run_fuzzing.py [--runs N] [target ...]
"""

from __future__ import annotations

import argparse
import sys

from fuzz_targets import FUZZERS

RUNS = 100_000


def main(arguments: list[str]) -> int:
    """The exit status: the number of targets with a finding."""
    parser = argparse.ArgumentParser(description="Fuzz everything that is fuzzed.")
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(FUZZERS)}; all when absent")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"inputs a target ({RUNS:,})")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.targets) - FUZZERS.keys())
    if unknown:
        parser.error(f"unknown target {', '.join(unknown)}; known: {', '.join(FUZZERS)}")
    print(f"{'target':<16} {'executions':>10} {'seconds':>8} {'edges':>7}  finding", flush=True)
    failures = []
    for name in given.targets or FUZZERS:
        run = FUZZERS[name](given.runs)
        what = run.finding.what if run.finding else "none"
        print(
            f"{name:<16} {run.executions:>10,} {run.seconds:>8.1f} {run.edges:>7,}  {what}",
            flush=True,
        )
        if run.printed.strip():
            print("    " + run.printed.strip().replace("\n", "\n    "), flush=True)
        try:
            run.check()
        except AssertionError as error:
            failures.append(str(error))
    print("\n\n".join(failures), end="")
    return len(failures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
