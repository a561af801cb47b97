"""Coverage-guided fuzzing of C and C++ with libFuzzer, under sanitizers, repeatable by its seed.

A target is a source file with `LLVMFuzzerTestOneInput`, and what it is linked with. What fuzzing
once found lies in corpus/<target>/*.bin and is replayed as an ordinary test for ever.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
#: Where a finding is left for whoever looks into it.
FINDINGS = HERE.parents[1] / "build" / "fuzz"
CLANG = "clang-22"
#: `float-cast-overflow` is no part of `undefined`, but undefined all the same.
SANITIZERS = "address,undefined,float-cast-overflow"
CHECKED = ("-gline-tables-only", "-O1", "-fno-sanitize-recover=all")
#: An input that runs longer than this, in seconds, counts as a hang.
HANG = 10
MEMORY_MIB = 1024
#: Of everything resident: where pages are huge, the sanitizer's shadow alone takes 1.5 GiB.
RESIDENT_MIB = 4096
_FINAL = re.compile(r"^stat::number_of_executed_units:\s*(\d+)$", re.M)
_COVERED = re.compile(r"\bcov: (\d+) ft: (\d+)")
_SUMMARY = re.compile(r"^SUMMARY: (.*)$|^==\d+== ERROR: (libFuzzer: .*)$", re.M)


@dataclass(frozen=True)
class FuzzTarget:
    """`sources`: .c as C11, .cc as C++17. `followers` are sources too, checked as well, but whose
    branches do not guide the search. `seeds` are well-formed inputs, `words` what is put into
    mutated ones, `longest` the most bytes of one."""

    name: str
    sources: tuple[Path, ...]
    includes: tuple[Path, ...] = ()
    defines: tuple[str, ...] = ()
    seeds: tuple[bytes, ...] = ()
    words: tuple[bytes, ...] = ()
    longest: int = 4096
    sanitizers: str = SANITIZERS
    followers: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Finding:
    """An input that crashes, hangs, leaks or trips a sanitizer; `log` is what was said then."""

    what: str
    data: bytes
    log: str


@dataclass(frozen=True)
class FuzzRun:
    """What a run did: `edges` and `features` in libFuzzer's counting, `printed` on its stdout."""

    target: str
    executions: int
    seconds: float
    edges: int
    features: int
    printed: str = ""
    finding: Finding | None = None

    def check(self) -> FuzzRun:
        """Fails with the input that reproduces the finding, if there is one."""
        if self.finding is not None:
            path = _keep(self.target, self.finding.data)
            raise AssertionError(
                f"{self.target}: {self.finding.what}\n"
                f"input, {len(self.finding.data)} bytes, also in {path}:\n"
                f"{self.finding.data.hex()}\n"
                f"Once it is mended, the input belongs into {CORPUS / self.target}.\n"
                f"{self.finding.log[-6000:]}"
            )
        return self


def build(target: FuzzTarget, folder: Path) -> Path:
    """The program of a target, instrumented throughout."""
    folder.mkdir(parents=True, exist_ok=True)
    common = [f"-fsanitize={target.sanitizers}", *CHECKED]
    common += [f"-D{define}" for define in target.defines]
    common += [f"-I{path}" for path in target.includes]
    objects = []
    for number, source in enumerate((*target.sources, *target.followers)):
        language = [CLANG, "-std=c11"] if source.suffix == ".c" else [_cxx(), "-std=c++17"]
        guides = ["-fsanitize=fuzzer-no-link"] if number < len(target.sources) else []
        objects.append(folder / f"{number}.o")
        _compile([*language, *common, *guides, "-c", str(source), "-o", str(objects[-1])])
    program = folder / target.name
    link = [_cxx(), f"-fsanitize=fuzzer,{target.sanitizers}"]
    _compile([*link, *map(str, objects), "-o", str(program)])
    return program


def corpus(name: str) -> list[Path]:
    """The inputs of a target that once were findings, or that hold a case open."""
    return sorted((CORPUS / name).glob("*.*"))


def fuzz(program: Path, target: FuzzTarget, runs: int, seed: int = 1) -> FuzzRun:
    """Run `runs` inputs, the corpus and the seeds first; stops at the first finding."""
    with TemporaryDirectory() as made:
        folder = Path(made)
        for name in ("new", "seeds", "found"):
            (folder / name).mkdir()
        for number, data in enumerate(target.seeds):
            (folder / "seeds" / f"{number:04}").write_bytes(data)
        for path in corpus(target.name):
            shutil.copyfile(path, folder / "seeds" / f"corpus-{path.name}")
        options: dict[str, object] = {
            "runs": runs,
            "seed": seed,
            "timeout": HANG,
            "malloc_limit_mb": MEMORY_MIB,
            "rss_limit_mb": RESIDENT_MIB,
            "max_len": target.longest,
            "artifact_prefix": f"{folder / 'found'}/",
            "print_final_stats": 1,
            "use_value_profile": 1,
        }
        if target.words:
            options["dict"] = folder / "words"
            (folder / "words").write_text(dictionary(target.words), "utf-8")
        arguments = [f"-{name}={value}" for name, value in options.items()]
        folders = [str(folder / "new"), str(folder / "seeds")]
        start = time.perf_counter()
        result = _execute([str(program), *arguments, *folders])
        seconds = time.perf_counter() - start
        finding = None
        if result.returncode != 0:
            kept = sorted((folder / "found").iterdir())
            data = kept[0].read_bytes() if kept else b""
            finding = Finding(_what(result), data, result.stderr)
    counted = _FINAL.search(result.stderr)
    covered = _COVERED.findall(result.stderr)
    return FuzzRun(
        target=target.name,
        executions=int(counted[1]) if counted else 0,
        seconds=seconds,
        edges=max((int(edges) for edges, _ in covered), default=0),
        features=max((int(features) for _, features in covered), default=0),
        printed=result.stdout,
        finding=finding,
    )


def replay(program: Path, name: str, paths: Iterable[Path]) -> list[Finding]:
    """The findings among given inputs, each run in a process of its own."""
    findings = []
    for path in paths:
        limits = [
            f"-timeout={HANG}",
            f"-malloc_limit_mb={MEMORY_MIB}",
            f"-rss_limit_mb={RESIDENT_MIB}",
        ]
        result = _execute([str(program), *limits, str(path)])
        if result.returncode != 0:
            what = f"{name}/{path.name}: {_what(result)}"
            findings.append(Finding(what, path.read_bytes(), result.stderr))
    return findings


def dictionary(words: Iterable[bytes]) -> str:
    """Words in libFuzzer's file format."""
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in words if word)
    return "".join(f'"{word}"\n' for word in escaped)


def _what(result: subprocess.CompletedProcess[str]) -> str:
    """The sanitizer's own summary, or the status where none came to say anything."""
    matches = _SUMMARY.findall(result.stderr)
    named = [words for match in matches for words in match if words]
    undefined = re.search(r"^.*runtime error: .*$", result.stderr, re.M)
    if undefined:
        named.insert(0, undefined[0])
    return named[0] if named else f"exit status {result.returncode}"


def _keep(name: str, data: bytes) -> Path:
    folder = FINDINGS / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    return path


def _cxx() -> str:
    return CLANG.replace("clang", "clang++")


def _compile(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        raise AssertionError(f"{command[0]} is missing: see system-packages.txt")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, " ".join(command) + "\n" + result.stderr


def _execute(command: list[str]) -> subprocess.CompletedProcess[str]:
    symbolizer = shutil.which(CLANG.replace("clang", "llvm-symbolizer"))
    settings = {"UBSAN_OPTIONS": "print_stacktrace=1"}
    if symbolizer:
        settings["ASAN_SYMBOLIZER_PATH"] = symbolizer
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, **settings},
        check=False,
    )
