"""Build the generated operator as a shared library for this machine's interpreter."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scanlet.errors import ExecutionError, MissingToolError
from scanlet.execution.programs import install_line, packages_of
from scanlet.execution.scratch import scratch_directory
from scanlet.execution.wheel import PINNED_VERSION, check_installed

#: No fused multiply-add, as in every build that is compared bit for bit.
COMMON_FLAGS = (
    *("-O2", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off"),
    *("-fno-math-errno", "-DSCANLET_HOST=1"),
)
C_FLAGS = ("-std=c11", *COMMON_FLAGS)
CXX_FLAGS = ("-std=c++17", "-fno-exceptions", "-fno-rtti", *COMMON_FLAGS)
#: The whole network, for its golden vectors: run a few times, so that building it counts more.
NATIVE_FLAGS = ("-std=c11", "-O1", "-fPIC", "-ffp-contract=off", "-fno-math-errno")
COMPILE_SECONDS = 300


@dataclass(frozen=True)
class HostLibrary:
    """A built operator library: the file, and the registration function that it exports."""

    path: Path
    symbol: str

    def load(self) -> None:
        """Load it into the process, symbols global. Needs the interpreter's symbols first."""
        try:
            library = ctypes.CDLL(str(self.path), mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise ExecutionError(f"the operator library does not load: {error}") from error
        if not hasattr(library, self.symbol):
            raise ExecutionError(
                f"the operator library exports no {self.symbol}", where=str(self.path)
            )


def build_library(component: dict[str, str], *, name: str) -> HostLibrary:
    """Compile the component's C and C++ sources; cached by content under the user's cache.

    `component` maps paths to texts, as `render_component` returns. The compilers are $CC and $CXX,
    or cc and c++. Raises MissingToolError if one is missing or there is no interpreter to build
    for, ExecutionError with the compiler's output if it fails.
    """
    check_installed()
    symbol = f"scanlet_register_{_digest_of(component).hexdigest()[:16]}"
    defines = (f"-DSCANLET_HOST_REGISTERER={symbol}",)
    compilers = {
        ".c": (_compiler("CC", "cc"), (*C_FLAGS, *defines)),
        ".cc": (_compiler("CXX", "c++"), (*CXX_FLAGS, *defines)),
    }
    return HostLibrary(_built(component, compilers, f"{name}\0{PINNED_VERSION}"), symbol)


def build_c_library(sources: dict[str, str], *, name: str) -> Path:
    """Compile C alone, without fused multiply-adds, every function exported; cached likewise."""
    return _built(sources, {".c": (_compiler("CC", "cc"), NATIVE_FLAGS)}, name)


Compilers = dict[str, tuple[list[str], tuple[str, ...]]]


def _digest_of(sources: dict[str, str]) -> hashlib._Hash:
    digest = hashlib.sha256()
    for path, text in sorted(sources.items()):
        digest.update(f"{path}\0{len(text)}\0{text}".encode())
    return digest


def _built(sources: dict[str, str], compilers: Compilers, name: str) -> Path:
    """The library of these sources, from the cache or compiled; `name` counts in its key."""
    digest = _digest_of(sources)
    digest.update(name.encode())
    for command, flags in compilers.values():
        digest.update("\0".join([*command, *flags, _version(command)]).encode())
    stem = re.sub(r"\W+", "_", name.split("\0")[0])
    cached = _cache_directory() / f"{stem}-{digest.hexdigest()[:32]}.so"
    if cached.is_file() and _is_whole(cached):
        return cached
    with scratch_directory("scanlet-build-") as directory:
        return _keep(_compile(sources, compilers, directory), cached)


def _compile(component: dict[str, str], compilers: Compilers, directory: Path) -> Path:
    for name, text in component.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    objects = []
    for name in sorted(component):
        suffix = Path(name).suffix
        if suffix in compilers:
            command, flags = compilers[suffix]
            objects.append(f"{name}.o")
            _run([*command, *flags, "-I", ".", "-c", name, "-o", objects[-1]], directory)
    if not objects:
        raise ExecutionError("the operator component holds no C or C++ source")
    linker = compilers[max(compilers, key=len)][0]  # C++ where it takes part
    _run([*linker, "-shared", *objects, "-o", "operator.so"], directory)
    return directory / "operator.so"


def _compiler(variable: str, default: str) -> list[str]:
    command = shlex.split(os.environ.get(variable, "")) or [default]
    if shutil.which(command[0]) is None:
        raise MissingToolError(
            f"the compiler {command[0]!r} is not installed; it builds the generated operator for "
            "this machine",
            hint=f"{install_line(packages_of(['cc', 'c++']))} (Debian), or point {variable} to a "
            "compiler; compiling and saving the project works without it",
        )
    return command


def _version(command: list[str]) -> str:
    return _run([*command, "--version"], None).splitlines()[0]


def _run(command: list[str], directory: Path | None) -> str:
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=COMPILE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExecutionError(f"{shlex.join(command)}: {error}") from error
    if done.returncode:
        raise ExecutionError(
            f"building the operator failed: {shlex.join(command)}\n{done.stderr.strip()}"
        )
    return done.stdout or done.stderr or "?"


def _cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # the specification ignores relative ones
        return Path(base) / "scanlet"
    with suppress(RuntimeError):  # no home directory
        return Path.home() / ".cache" / "scanlet"
    return _process_directory()


def _keep(built: Path, cached: Path) -> Path:
    """Move a library into the cache, atomically; where that fails, into a private directory."""
    try:
        return _install(built, cached)
    except OSError:  # read-only, full, or no directory
        return _install(built, _process_directory() / cached.name)


def _install(built: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".build-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(built.read_bytes())
        os.chmod(temporary, 0o755)
        os.replace(temporary, target)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    return target


def _is_whole(path: Path) -> bool:
    """Whether a cached file still is an ELF file of the length that its header tells."""
    try:
        data = path.read_bytes()
    except OSError:
        return False
    if data[:4] != b"\x7fELF" or len(data) < 64:
        return False
    sections_at = int.from_bytes(data[40:48], "little")
    section_size, sections = data[58] | data[59] << 8, data[60] | data[61] << 8
    return len(data) >= sections_at + section_size * sections


_private: list[tempfile.TemporaryDirectory[str]] = []


def _process_directory() -> Path:
    """A directory that lives as long as the process."""
    if not _private:
        _private.append(tempfile.TemporaryDirectory(prefix="scanlet-"))
    return Path(_private[0].name)
