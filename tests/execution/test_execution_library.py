"""Building and caching operator libraries."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scanlet.errors import ExecutionError, MissingToolError
from scanlet.execution import shared_library
from scanlet.execution.shared_library import HostLibrary, build_library
from scanlet.execution.wheel import load_runtime

EXPORT = 'extern "C" __attribute__((visibility("default")))'
SOURCES = {
    "one.cc": '#include "parts/value.h"\n'
    f"{EXPORT} bool SCANLET_HOST_REGISTERER(void*) {{ return value() == 3; }}\n",
    "two.c": '#include "parts/value.h"\nint value(void) { return VALUE; }\n',
    "parts/value.h": '#define VALUE 3\n#ifdef __cplusplus\nextern "C"\n#endif\nint value(void);\n',
}


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "scanlet"


def test_a_second_build_comes_from_the_cache(cache, monkeypatch):
    first = build_library(SOURCES, name="small")
    assert [first.path] == list(cache.iterdir())
    monkeypatch.setattr(shared_library, "_compile", None)  # not called again
    assert build_library(SOURCES, name="small") == first


def test_other_sources_get_another_symbol_and_file(cache):
    first = build_library(SOURCES, name="small")
    other = build_library(
        {**SOURCES, "parts/value.h": SOURCES["parts/value.h"] + "\n"}, name="small"
    )
    assert first.symbol != other.symbol
    assert len(list(cache.iterdir())) == 2


def test_another_compiler_builds_anew(cache, monkeypatch, tmp_path):
    build_library(SOURCES, name="small")
    wrapper = tmp_path / "my-cc"
    wrapper.write_text('#!/bin/sh\n[ "$1" = --version ] && echo mine && exit\nexec cc "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("CC", str(wrapper))
    build_library(SOURCES, name="small")
    assert len(list(cache.iterdir())) == 2


@pytest.mark.usefixtures("cache")
def test_only_the_registration_function_is_exported():
    load_runtime()
    library = build_library(SOURCES, name="small")
    library.load()
    symbols = shared_library._run(["nm", "-D", "--defined-only", str(library.path)], None)
    assert [line.split()[-1] for line in symbols.splitlines()] == [library.symbol]


@pytest.mark.usefixtures("cache")
def test_a_truncated_cached_file_is_built_again():
    library = build_library(SOURCES, name="small")
    whole = library.path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"not a library" * 100):
        library.path.write_bytes(damaged)
        assert build_library(SOURCES, name="small").path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_not_needed(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    library = build_library(SOURCES, name="small")
    library.load()
    assert blocked not in library.path.parents


def test_a_full_disk_under_the_cache_is_not_needed(cache, monkeypatch):
    replace = os.replace

    def full(source, target):
        if cache in Path(target).parents:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    library = build_library(SOURCES, name="small")
    library.load()
    assert list(cache.iterdir()) == []


def test_a_relative_cache_home_is_ignored(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    library = build_library(SOURCES, name="small")
    assert library.path.parent == tmp_path / ".cache" / "scanlet"


def test_builds_at_the_same_time_do_not_disturb_each_other(cache):
    with ThreadPoolExecutor(4) as pool:
        libraries = list(pool.map(lambda _: build_library(SOURCES, name="small"), range(4)))
    assert len(set(libraries)) == 1
    libraries[0].load()
    assert len(list(cache.iterdir())) == 1


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("variable", ["CC", "CXX"])
def test_a_missing_compiler_names_what_to_install(monkeypatch, variable):
    monkeypatch.setenv(variable, "no-such-compiler")
    with pytest.raises(MissingToolError, match="apt-get install gcc g") as caught:
        build_library(SOURCES, name="small")
    assert "no-such-compiler" in str(caught.value)


@pytest.mark.usefixtures("cache")
def test_no_compiler_on_the_path_names_what_to_install(monkeypatch, tmp_path):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="'cc' is not installed"):
        build_library(SOURCES, name="small")


@pytest.mark.usefixtures("cache")
def test_sources_that_do_not_compile_show_the_compiler_s_words():
    with pytest.raises(ExecutionError, match="undeclared_thing"):
        build_library(
            {**SOURCES, "bad.c": "int f(void) { return undeclared_thing; }\n"}, name="bad"
        )
    with pytest.raises(ExecutionError, match="no C or C"):
        build_library({"a.h": ""}, name="empty")


@pytest.mark.usefixtures("cache")
def test_a_library_with_missing_symbols_is_refused_when_loaded():
    load_runtime()
    lacking = (
        f"int nowhere(); {EXPORT} bool SCANLET_HOST_REGISTERER(void*) {{ return nowhere(); }}\n"
    )
    with pytest.raises(ExecutionError, match=r"does not load.*nowhere"):
        build_library({"a.cc": lacking}, name="lacking").load()


@pytest.mark.usefixtures("cache")
def test_a_library_without_the_registration_function_is_refused():
    library = build_library(SOURCES, name="small")
    with pytest.raises(ExecutionError, match="exports no scanlet_register_0"):
        HostLibrary(library.path, "scanlet_register_0").load()
