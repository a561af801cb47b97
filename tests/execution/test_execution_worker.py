"""Native code runs in a worker process: its death is told and not suffered, and nothing stays."""

from __future__ import annotations

import gc
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from execution_models import build, mixer, sample, shell

from scanlet.emit.flatbuffer import write_model
from scanlet.errors import ExecutionError, InputError
from scanlet.execution.host import HostInterpreter, build_library
from scanlet.execution.worker import client as worker
from scanlet.execution.worker import frames as worker_frames


def children_of(process: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_gone(process: int) -> bool:
    """Whether it has ended and was reaped: a zombie is not gone."""
    return not Path(f"/proc/{process}").exists()


def has_ended(process: int) -> bool:
    """Gone, or waiting for init to reap it, as orphans do."""
    status = Path(f"/proc/{process}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


#: Registers SELECTIVE_SSM with an operator that does `body` when it is prepared or run.
MISBEHAVING = """
#include "host_abi.h"
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
using namespace tflite; using namespace tflite::micro;
namespace {{
TfLiteStatus Prepare(TfLiteContext*, TfLiteNode*) {{ return kTfLiteOk; }}
TfLiteStatus Invoke(TfLiteContext*, TfLiteNode*) {{ {body} return kTfLiteOk; }}
}}
extern "C" __attribute__((visibility("default"))) bool SCANLET_HOST_REGISTERER(void* resolver);
extern "C" bool SCANLET_HOST_REGISTERER(void* resolver) {{
  return scanlet_host::Append(resolver, "SELECTIVE_SSM",
                              RegisterOp(nullptr, Prepare, Invoke, nullptr, nullptr));
}}
"""


def misbehaving(body: str, mode: str = "sequence", **options) -> HostInterpreter:
    abi = Path(__file__).parents[2] / "tflm_ops" / "host_abi.h"
    sources = {"bad.cc": MISBEHAVING.format(body=body), "host_abi.h": abi.read_text()}
    tflite, _ = build(mixer(mode=mode))
    return HostInterpreter(tflite, build_library(sources, name="bad"), **options)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("*(volatile int*)8 = 1;", "crashed while it ran .SIGSEGV"),
        ("abort();", "crashed while it ran .SIGABRT"),
        ("_exit(3);", "exit code 3"),
        ("raise(9);", "killed while it ran .SIGKILL"),
    ],
    ids=["segv", "abort", "exit", "kill"],
)
def test_a_death_while_it_runs_is_an_error_and_the_process_goes_on(body, text):
    interpreter = misbehaving("static int count = 0; if (count++ == 1) { " + body + " }")
    x = sample(mixer())
    interpreter.run(x)
    with pytest.raises(ExecutionError, match=text) as caught:
        interpreter.run(x)
    assert caught.value.hint
    assert interpreter.process_id is None
    interpreter.run(x)  # a new one, whose count is 0
    assert interpreter.process_id is not None


def test_an_inference_without_end_is_ended():
    interpreter = misbehaving("for (volatile int i = 0;; ++i) {}", run_seconds=0.3)
    process = interpreter.process_id
    assert process is not None
    with pytest.raises(ExecutionError, match=r"longer than 0\.3 seconds"):
        interpreter.run(sample(mixer()))
    wait_until(lambda: is_gone(process))


def test_last_words_are_told():
    interpreter = misbehaving('write(2, "the end is nigh", 15); abort();')
    with pytest.raises(ExecutionError, match="the end is nigh"):
        interpreter.run(sample(mixer()))


def test_a_worker_killed_while_it_runs_gives_an_error_and_the_next_run_works():
    interpreter = misbehaving("static int count = 0; if (count++ == 1) sleep(30);")
    x = sample(mixer())
    interpreter.run(x)
    process = interpreter.process_id
    assert process is not None
    killer = threading.Timer(0.3, os.kill, (process, signal.SIGKILL))
    killer.start()
    with pytest.raises(ExecutionError, match=r"killed while it ran \(SIGKILL\)"):
        interpreter.run(x)
    killer.join()
    interpreter.run(x)


def test_a_stream_says_that_its_state_is_lost():
    whole, chunk = mixer(8), mixer(4, mode="stream")
    x = sample(whole)
    (expected,) = whole.evaluate([x])
    interpreter = HostInterpreter(*build(chunk))
    interpreter.run(x[:, :4])
    os.kill(interpreter.process_id, signal.SIGKILL)
    with pytest.raises(ExecutionError, match="the next run starts from zero"):
        interpreter.run(x[:, 4:])
    parts = [interpreter.run(x[:, t : t + 4])[0] for t in (0, 4)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), expected, rtol=0, atol=2e-5)


def test_without_state_nothing_is_lost():
    interpreter = HostInterpreter(write_model(shell()), None)
    x = sample(shell())
    (expected,) = interpreter.run(x)
    os.kill(interpreter.process_id, signal.SIGKILL)
    with pytest.raises(ExecutionError) as caught:
        interpreter.run(x)
    assert "state" not in str(caught.value)
    np.testing.assert_array_equal(interpreter.run(x)[0], expected)


def test_the_template_s_death_is_survived_too():
    interpreter = HostInterpreter(write_model(shell()), None)
    template, process = worker.template_process(), interpreter.process_id
    assert template is not None
    os.kill(template, signal.SIGKILL)
    wait_until(lambda: has_ended(process))
    with pytest.raises(ExecutionError):
        interpreter.run(sample(shell()))
    interpreter.run(sample(shell()))
    assert worker.template_process() != template


def test_ctrl_c_ends_the_run_and_not_the_stream_s_honesty():
    interpreter = misbehaving("static int count = 0; if (count++ == 1) sleep(30);", mode="stream")
    x = sample(mixer())
    interpreter.run(x)
    process = interpreter.process_id
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        interpreter.run(x)
    wait_until(lambda: is_gone(process))
    with pytest.raises(ExecutionError, match="lost when a run was interrupted"):
        interpreter.run(x)
    interpreter.run(x)


def test_workers_end_with_their_interpreters_and_leave_no_zombies():
    interpreters = [HostInterpreter(write_model(shell()), None) for _ in range(3)]
    template = worker.template_process()
    processes = [interpreter.process_id for interpreter in interpreters]
    assert template is not None
    assert set(processes) <= set(children_of(template))
    del interpreters
    gc.collect()
    wait_until(lambda: all(map(is_gone, processes)))


def test_all_processes_end_with_this_one(tmp_path):
    """At a clean exit, at one by a signal, and while a worker is busy."""
    (tmp_path / "model").write_bytes(write_model(shell()))
    script = """
import os, sys, time
from scanlet.execution.worker import client as worker
from scanlet.execution.host import HostInterpreter
interpreter = HostInterpreter(open(sys.argv[1], "rb").read(), None)
print(worker.template_process(), interpreter.process_id, "torch" in sys.modules, flush=True)
sys.stdin.read() if sys.argv[2] == "wait" else None
"""
    for how in ("exit", "wait"):
        command = [sys.executable, "-c", script, str(tmp_path / "model"), how]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            template, one, torch = process.stdout.readline().split()
            if how == "wait":
                process.kill()
            else:
                assert process.wait(20) == 0
        assert torch == b"False"
        wait_until(lambda pids=(template, one): all(has_ended(int(pid)) for pid in pids))


def test_a_fork_of_this_process_has_workers_of_its_own():
    chunk = mixer(4, mode="stream")
    x = sample(chunk)
    interpreter = HostInterpreter(*build(chunk))
    (first,) = interpreter.run(x)
    expected = HostInterpreter(*build(chunk)).run_all([[x], [x]])[1]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"?"
        try:
            try:
                interpreter.run(x)
            except ExecutionError as error:
                said = b"told " if "forked" in str(error) else b"otherwise "
            said += b"same" if np.array_equal(interpreter.run(x)[0], first) else b"differs"
        finally:
            os.write(writing, said)
            worker.shut_down()
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"told same"
    os.waitpid(child, 0)
    np.testing.assert_array_equal(interpreter.run(x)[0], expected[0])  # the parent's state


def test_many_calls_are_those_one_by_one():
    graph = mixer()
    interpreter = HostInterpreter(*build(graph))
    calls = [[sample(graph, seed)] for seed in range(600)]
    together = interpreter.run_all(calls)
    for call, result in zip(calls[::97], together[::97], strict=True):
        np.testing.assert_array_equal(interpreter.run(*call)[0], result[0])
    assert interpreter.run_all([]) == []
    with pytest.raises(InputError):
        interpreter.run_all([*calls[:3], [np.zeros(3)]])


def test_a_kernel_that_fails_in_the_middle_leaves_the_worker_in_step():
    body = "static int count = 0; if (count++ == 2) return kTfLiteError;"
    interpreter = misbehaving(body)
    x = sample(mixer())
    process = interpreter.process_id
    with pytest.raises(ExecutionError):
        interpreter.run_all([[x]] * 5)
    interpreter.run_all([[x]] * 5)
    assert interpreter.process_id == process


def test_two_threads_do_not_mix_their_answers():
    graph = mixer()
    interpreter = HostInterpreter(*build(graph))
    inputs = [sample(graph, seed) for seed in range(2)]
    expected = [interpreter.run(x)[0] for x in inputs]
    wrong = []

    def many(index: int) -> None:
        for _ in range(200):
            if not np.array_equal(interpreter.run(inputs[index])[0], expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=many, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_template_starts_fast_and_without_torch():
    worker.shut_down()
    begin = time.perf_counter()
    HostInterpreter(write_model(shell()), None)
    seconds = time.perf_counter() - begin
    template = worker.template_process()
    maps = Path(f"/proc/{template}/maps").read_text()
    assert "tflite_micro" in maps
    assert "libtorch" not in maps
    assert seconds < 5  # 0.3 s on an idle machine; see docs/robustness.md


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<I", 0xFFFFFFFF),
        struct.pack("<I", 3) + b"abc",
        struct.pack("<I", 2) + b"{}",
        struct.pack("<I", 2) + b"[]",
        struct.pack("<I", 27) + b'{"arrays": [["object", 1]]}',
        struct.pack("<I", 33) + b'{"arrays": [["float32", [4, -2]]]}'[:33],
        struct.pack("<I", 37) + b'{"arrays": [["float32", [99999999999]]]}'[:37],
    ],
)
def test_nonsense_from_a_worker_is_refused(content):
    here, there = socket.socketpair()
    with here, there:
        there.sendall(content)
        there.shutdown(socket.SHUT_WR)
        with pytest.raises((worker_frames.FrameError, EOFError)):
            worker_frames.receive(here)
