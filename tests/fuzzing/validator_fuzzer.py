"""One process that fuzzes the validator: python validator_fuzzer.py FOLDER RUNS [--plain].

FOLDER/seeds holds files to begin with. With atheris the mutations are guided by coverage; --plain
(or a Python that has no atheris) is guided by what the validator says. Files that pass go to
FOLDER/survivors, an input that breaks the validator to FOLDER/found, with FOLDER/log. Prints how
many ran.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType

INSTRUMENTED = [
    *("scanlet.emit.flatbuffer_walk", "scanlet.emit.flatbuffer_reader"),
    *("scanlet.emit.validation", "scanlet.emit.parameters.custom_options"),
]
#: Longest input, in bytes.
LONGEST = 1 << 14
MOST_SURVIVORS = 2000
#: An input that takes longer is a finding.
HANG_SECONDS = 5


class Hang(BaseException):
    """An input took too long."""


class Target:
    """Runs inputs; keeps survivors and findings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.executions = self.survivors = 0
        self.known = {path.read_bytes() for path in (folder / "seeds").iterdir()}
        self.seen: set[bytes] = set()
        for name in ("survivors", "found"):
            (folder / name).mkdir(exist_ok=True)

    def __call__(self, data: bytes) -> str:
        """What the validator says, without numbers; it may raise ScanletError and nothing else."""
        from scanlet.emit.flatbuffer_reader import validate
        from scanlet.errors import ScanletError

        self.executions += 1
        signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
        try:
            validate(data, sealed=True)
        except ScanletError as error:
            return re.sub(r"\d+|'[^']*'", "", f"{error.where} {error.message}")
        except BaseException:
            (self.folder / "log").write_text(traceback.format_exc(), "utf-8")
            (self.folder / "found" / "input").write_bytes(data)
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.keep(data)
        return "passes"

    def keep(self, data: bytes) -> None:
        digest = hashlib.sha256(data).digest()[:8]
        if data in self.known or digest in self.seen or self.survivors >= MOST_SURVIVORS:
            return
        self.seen.add(digest)
        self.survivors += 1
        (self.folder / "survivors" / digest.hex()).write_bytes(data)


def plain(target: Target, seeds: list[bytes], runs: int) -> int:
    """Without coverage: an input with which the validator says something new is damaged further."""
    from validator_mutator import mutate

    passing, news, said = list(seeds), list(seeds), set()
    for number in range(runs):
        pool = passing if number % 3 else news
        data = mutate(pool[number // 3 % len(pool)], seeds, number, LONGEST)
        words = target(data)
        if words == "passes" and len(passing) < MOST_SURVIVORS:
            passing.append(data)
        elif words not in said:
            news.append(data)
        said.add(words)
    return len(said)


def guided(target: Target, folder: Path, seeds: list[bytes], runs: int) -> None:
    """With coverage: libFuzzer's loop, our mutations. Does not return."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        importlib.import_module("scanlet.emit.flatbuffer_reader")
    from validator_mutator import mutate  # behind the instrumented imports

    def once_more(data: bytes, size: int, number: int) -> bytes:
        """Half of the time from a whole file: what covers most is often a short, broken one."""
        start = data if number % 2 else seeds[number // 2 % len(seeds)]
        return mutate(start, seeds, number, size)

    arguments = [f"-runs={runs}", "-seed=1", f"-max_len={LONGEST}", "-print_final_stats=1"]
    arguments += ["-rss_limit_mb=2048", "-len_control=0", "-close_fd_mask=0", "-timeout=60"]
    arguments += [f"-artifact_prefix={folder / 'found'}/"]
    atheris.Setup(
        [sys.argv[0], *arguments, str(folder / "seeds")],
        target,
        custom_mutator=once_more,
    )
    atheris.Fuzz()


def _hang(_number: int, _frame: FrameType | None) -> None:
    raise Hang


def main() -> None:
    folder, runs = Path(sys.argv[1]), int(sys.argv[2])
    seeds = [path.read_bytes() for path in sorted((folder / "seeds").iterdir())]
    signal.signal(signal.SIGALRM, _hang)
    target = Target(folder)
    if "--plain" not in sys.argv:
        guided(target, folder, seeds, runs)
    start = time.perf_counter()
    said = plain(target, seeds, runs)
    seconds = time.perf_counter() - start
    print(f"stat::number_of_executed_units: {target.executions}", file=sys.stderr)
    print(f"cov: {said} ft: {said} in {seconds:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
