"""Builds a rendered project's application for the host, on the fake device, and talks to it."""

from __future__ import annotations

import os
import struct
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
STUBS = (HERE / "stubs", HERE / "stubs_idf_5_3")
#: As ESP-IDF builds C++ of an application that keeps to the generated project's rules.
CXX_FLAGS = (
    *("-std=gnu++14", "-fno-exceptions", "-fno-rtti"),
    *("-Wall", "-Wextra", "-Wshadow", "-Werror"),
)
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover")
MAGIC = b"SCNL"
VERSION = 2
#: Types of requests; an answer's is the request's plus ANSWER.
HELLO, INFER, RESET, STATISTICS, SELF_TEST, ANSWER, ERROR = 1, 2, 3, 4, 5, 0x80, 0xFF
SESSION = 0x1234ABCD


def run_compiler(command: Sequence[str | Path]) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def write_files(files: Mapping[str, bytes], directory: Path) -> Path:
    for path, content in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(content)
    return directory


def includes(project: Path, stubs: Sequence[Path] = STUBS) -> list[str]:
    folders = (project / "main", project / "model", project / "components" / "selective_ssm")
    return [f"-I{folder}" for folder in (*folders, *stubs)]


def application_sources(project: Path) -> list[Path]:
    """What main/CMakeLists.txt lists: the user's sources take the place of the default one."""
    sources = sorted((project / "main").glob("*.cc"))
    if users := sorted((project / "main" / "user").glob("*.cc")):
        sources = [source for source in sources if source.name != "no_input_source.cc"]
    return sources + users


def build_application(
    project: Path,
    program: Path,
    device: Path = HERE / "fake_device.cc",
    library: Sequence[Path] = (),
) -> Path:
    """The whole application with the operator, on a fake device, with sanitizers.

    `library` are C files that the device needs.
    """
    operator = project / "components" / "selective_ssm"
    objects = []
    for source in (*operator.glob("*.c"), *(project / "main" / "serial").glob("*.c"), *library):
        objects.append(program.with_name(f"{source.stem}.o"))
        run_compiler(["gcc", "-std=c11", "-O1", *SANITIZERS, "-c", source, "-o", objects[-1]])
    sources = [
        *application_sources(project),
        *(project / "model").glob("*.cc"),
        *operator.glob("*.cc"),
        HERE / "fake_context.cc",
        device,
    ]
    folders = sorted({f"-I{source.parent}" for source in library})
    flags = (*CXX_FLAGS, *SANITIZERS, *includes(project), *folders)
    run_compiler(["g++", *flags, *sources, *objects, "-o", program, "-lm"])
    return program


def run_application(program: Path, fault: str = "", requests: bytes = b"") -> bytes:
    """What the application prints until its 50 seconds are over."""
    done = subprocess.run(
        [str(program)],
        input=requests,
        capture_output=True,
        env={**os.environ, "FAKE_DEVICE": fault},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def header(
    kind: int, length: int, sequence: int = 0, session: int = SESSION, version: int = VERSION
) -> bytes:
    """20 bytes, as the generated README describes them."""
    body = struct.pack("<BBHII", version, kind, sequence, session, length)
    return MAGIC + body + struct.pack("<I", zlib.crc32(body))


def frame(
    kind: int,
    payload: bytes = b"",
    sequence: int = 0,
    session: int = SESSION,
    version: int = VERSION,
) -> bytes:
    """A request as the generated README describes it."""
    whole = header(kind, len(payload), sequence, session, version)
    if payload:
        whole += payload + struct.pack("<I", zlib.crc32(whole[4:16] + payload))
    return whole


@dataclass(frozen=True)
class Answer:
    kind: int
    sequence: int
    payload: bytes
    session: int = SESSION


def answers(output: bytes) -> list[Answer]:
    """The frames of a device's output, text between them skipped."""
    found = []
    start = output.find(MAGIC)
    while start >= 0:
        version, kind, sequence, session, length, check = struct.unpack_from(
            "<BBHIII", output, start + 4
        )
        assert version == VERSION
        assert check == zlib.crc32(output[start + 4 : start + 16])
        begin, end = start + 20, start + 20 + length
        payload = output[begin:end]
        if length:
            (check,) = struct.unpack_from("<I", output, end)
            assert check == zlib.crc32(output[start + 4 : start + 16] + payload)
            end += 4
        found.append(Answer(kind, sequence, payload, session))
        start = output.find(MAGIC, end)
    return found
