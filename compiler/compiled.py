"""A compiled model: the flatbuffer, the generated operator, and the means to run and save them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanlet.errors import InputError, ModelFileError
from scanlet.execution.exchange import Exchange
from scanlet.execution.samples import Sample
from scanlet.graph import Graph
from scanlet.targets import Target

if TYPE_CHECKING:
    from scanlet.emit.flatbuffer_reader import ModelDescription, TensorDescription
    from scanlet.execution.host import Allocations, HostInterpreter
    from scanlet.execution.verification import Verification
    from scanlet.passes import Extent, Stream, StreamShape
    from scanlet.planning.plan import Plan
    from scanlet.planning.planner import Alternative, Choice
    from scanlet.quantization.quantize import Quantized


_BUILDING = threading.Lock()


@dataclass(frozen=True)
class Golden:
    """Inputs with the outputs that a device should compute for them; travels with the project.

    `tolerance` is the largest absolute error accepted on any output. `made_by` is "generic-c", the
    network as C without fused multiply-adds, or "numpy" where there was no compiler.
    """

    inputs: tuple[Sample, ...]
    outputs: tuple[Sample, ...]
    tolerance: float
    made_by: str = "generic-c"


@dataclass
class Compiled(Exchange):
    """The result of `scanlet.compile` or `scanlet.open`.

    `tflite` is the flatbuffer, `component` the C sources of the operator (path -> text), `report`
    the nested dictionary that report.json holds. `source` is the captured graph (the quantized
    one at an integer precision), `extents` the legal graph that was chosen, with what is fused
    in it. In stream mode `stream` says where time lies, `how` what was chosen.
    """

    name: str
    target: Target
    precision: str
    mode: str
    labels: tuple[str, ...]
    tflite: bytes = field(repr=False)
    component: dict[str, str] = field(repr=False)
    golden: Golden = field(repr=False)
    report: dict[str, Any] = field(repr=False)
    source: Graph | None = field(default=None, repr=False)
    extents: tuple[Extent, ...] = field(default=(), repr=False)
    plan: Plan | None = field(default=None, repr=False)
    quantized: Quantized | None = field(default=None, repr=False)
    stream: StreamShape | None = None
    how: Stream | None = None
    verification: Verification | None = field(default=None, repr=False)
    alternatives: tuple[Alternative, ...] = field(default=(), repr=False)
    warnings: list[str] = field(default_factory=list, repr=False)

    @property
    def graph(self) -> Graph | None:
        """The legal graph that the flatbuffer holds."""
        return self.extents[0].graph if self.extents else None

    # -- running -------------------------------------------------------------------------------
    @cached_property
    def interpreter(self) -> HostInterpreter:
        """The TFLM interpreter of this machine with the generated operator (built on first use)."""
        from scanlet.execution.host import HostInterpreter, build_library

        with _BUILDING:
            if "interpreter" not in self.__dict__:  # no other thread has built it meanwhile
                library = build_library(self.component, name=self.name) if self.component else None
                self.__dict__["interpreter"] = HostInterpreter(self.tflite, library)
        return self.__dict__["interpreter"]

    @cached_property
    def description(self) -> ModelDescription:
        """The flatbuffer as an independent reader sees it."""
        from scanlet.emit.flatbuffer_reader import read_model

        return read_model(self.tflite)

    @property
    def inputs(self) -> list[TensorDescription]:
        return self.description.inputs

    @property
    def outputs(self) -> list[TensorDescription]:
        return self.description.outputs

    @property
    def allocations(self) -> Allocations:
        """What the interpreter recorded while it allocated its arena (64-bit pointers)."""
        return self.interpreter.allocations

    def run(self, *inputs: Any, on: str | None = None, keep_plan: bool = False) -> Any:
        """Run on the TFLM interpreter: one sample, or a batch along the first axis; real values.

        An input is an array (or tensor) of the compiled shape (1, ...), or (B, ...) for a batch
        that runs sample by sample. Returns an array an output ((1, ...) or (B, ...)); a tuple if
        the model has several outputs. Raises InputError if a shape does not fit.

        In stream mode the state carries on from call to call until `reset`, so a batch is refused;
        an input may be any number of chunks long, which run in turn: outputs with a time axis come
        joined along it, others with a row a chunk.

        `on` names an emulated core or a board that one stands for ("cortex-m7", "esp32s3"): the
        network then runs there as machine code, as the generic C library (not TFLM), planned
        again for that core unless `keep_plan`; state does not carry on from call to call there.
        """
        calls = self._calls(self.stored_inputs(self._batches(inputs)))
        if on is None:
            results = self.interpreter.run_all(calls)
        else:
            from scanlet.execution.on_core import core_target, run_on_core

            choice = self.planned_for(core_target(on), keep_plan=keep_plan)
            results = run_on_core(choice.graph, choice.plan, calls)
        return self._joined([self.real_outputs(outputs) for outputs in results])

    def measure(
        self,
        *inputs: Any,
        on: str,
        keep_plan: bool = False,
        fused: bool = True,
        naive: bool = False,
        tile: int | None = None,
        memory_limit: int | None = None,
    ) -> dict[str, Any]:
        """What one inference costs on an emulated core: exact counts, not cycles.

        `inputs` is one sample, or chunk (default: the first golden one). Returns a mapping with
        `instructions`, `loads`, `stores`, the same by `functions`, `stack_bytes`, `ram_bytes`
        (static memory, input, output and stack), `text_bytes` and `rodata_bytes`. What is
        measured is the generic C library, not TFLM. `fused` False builds without fused
        multiply-adds, which gives the same bits on every scalar core. `naive` measures a direct
        transcription of the equations (arrays as long as the sequence, libm) for comparison.
        `memory_limit` bounds the plan's RAM in bytes, everything counted; `tile` fixes the time
        tile.
        """
        from scanlet.execution.on_core import core_target, measure_on_core

        real = self._batches(inputs) if inputs else list(self.golden.inputs[0])
        sample = self._calls(self.stored_inputs(real))[0]
        if naive and self.precision != "float32":
            raise InputError(
                f"the naive transcription computes in float32, this model in {self.precision}",
                hint="compile the model for float32 and compare with that",
            )
        choice = self.planned_for(
            core_target(on), keep_plan=keep_plan, tile=tile, memory_limit=memory_limit
        )
        return measure_on_core(choice.graph, choice.plan, sample, fused=fused, naive=naive)

    def add_measurements(self, *cores: str) -> None:
        """Count one inference on emulated cores, as `measure` does, for report.json and .html."""
        from scanlet.reporting import add_measurements

        add_measurements(self, cores)

    def evaluate(self, inputs: Any, labels: Any) -> dict[str, Any]:
        """Accuracy on labelled samples, on this machine; the report keeps it.

        `inputs` is a batch (B, ...), or a tuple of them where the model has several inputs,
        `labels` (B,) are class indices or names. Returns {"agreement": share of right answers,
        "samples", "classes", "counts": [{"expected", "found", "count"}]}, classes by index.
        """
        from scanlet.reporting import evaluate

        return evaluate(self, inputs, labels)

    def run_raw(self, *inputs: Any) -> Any:
        """As `run`, exchanging the stored values: integers for integer precisions.

        `inputs` and `outputs` state scale and zero point: real = scale * (stored - zero_point).
        """
        calls = self._calls(self._batches(inputs, stored=True))
        return self._joined(self.interpreter.run_all(calls))

    def reset(self) -> None:
        """Clear the recurrent state (stream mode; sequence mode starts from zero anyway)."""
        self.interpreter.reset()

    def planned_for(
        self,
        on: Target,
        *,
        keep_plan: bool = False,
        tile: int | None = None,
        memory_limit: int | None = None,
    ) -> Choice:
        """The generic library's plan for a core or board: chosen again, or this model's own."""
        from scanlet.passes import extents
        from scanlet.planning.planner import choose_plan

        if not self.extents:
            raise ModelFileError(
                "the project holds no graph, so nothing can be built from it for a core",
                where=self.name,
                hint="compile the model again",
            )
        candidates: Sequence[Extent] = self.extents
        if keep_plan:
            tile = self.report["plan"]["tile"]
        elif self.source is not None and self.precision == "float32":
            candidates = extents(self.source, mode=self.mode, how=self.how)
        return choose_plan(candidates, on, tile=tile, memory_limit=memory_limit)

    # -- saving --------------------------------------------------------------------------------
    def save(
        self, directory: str | Path, *, force: bool = False, component_only: bool = False
    ) -> Path:
        """Write the project; returns its directory.

        Only files that scanlet generated and nobody edited are replaced, all or none: an edited
        file raises ProjectConflictError unless `force`. `component_only` writes just the operator
        component and the model, for an existing firmware.
        """
        from scanlet.project_files import save

        return save(self, Path(directory), force=force, component_only=component_only)
