"""The table of docs/dialects.md: what it says is tried out. Run this file to write it anew."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dialect_rows import D_MODEL, ROWS, TOKENS, Factory, Refused, Row
from torch import nn

import scanlet
from scanlet.errors import UnsupportedModelError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "dialects.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
LENGTH, CHUNK = 12, 3
#: Of the output's scale: float32 against the original, int8 against the original.
FLOAT_BOUND, INTEGER_BOUND = 1e-5, 0.1

YES, IN_FLOAT, NO, NONE = "yes", "mixer in float", "refused", "—"


def float_cell(factory: Factory | Refused | None) -> str:
    """The compiled model against the original on inputs that it was not compiled with."""
    if factory is None:
        return NONE
    if isinstance(factory, Refused):
        return _refused(factory)
    model = prepared(factory)
    compiled = scanlet.compile(model, example(model), target="generic", progress=False)
    for seed in (1, 2):
        x = example(model, seed)
        assert deviation(_outputs(compiled.run(x.numpy())), original(model, x)) <= FLOAT_BOUND
    return YES


def bidirectional_cell(row: Row) -> str:
    return float_cell(row.bidirectional or (lambda: BothWays(row.mixer(), row.mixer())))


def stream_cell(row: Row) -> str:
    """Chunk by chunk against the original on the whole sequence."""
    if row.bidirectional is not None:
        return _refused(Refused(row.mixer, "backwards in time"), mode="stream")
    model = prepared(
        row.mixer if row.model is None or isinstance(row.model, Refused) else row.model
    )
    chunk = example(model)[:, :CHUNK]
    compiled = scanlet.compile(model, chunk, target="generic", mode="stream", progress=False)
    x = example(model, seed=1)
    parts = [_outputs(compiled.run(part.numpy())) for part in x.split(CHUNK, dim=1)]
    whole = [np.concatenate(outputs, axis=1) for outputs in zip(*parts, strict=True)]
    assert deviation(whole, original(model, x)) <= FLOAT_BOUND
    return YES


def int8_cell(row: Row) -> str:
    model = prepared(lambda: Classifier(row.mixer()))
    samples = [example(model, seed) for seed in range(3, 67)]
    compiled = scanlet.compile(
        model,
        samples[0],
        target="generic",
        precision="int8",
        calibration_data=samples,
        progress=False,
    )
    errors = [
        deviation(_outputs(compiled.run(x.numpy())), original(model, x))
        for x in (example(model, seed) for seed in range(80, 90))
    ]
    assert max(errors) <= INTEGER_BOUND
    islands = [island["modules"] for island in compiled.report["quantization"]["islands"]]
    in_float = any(f"{name}.".startswith("mixer.") for modules in islands for name in modules)
    assert in_float == row.float_at_integer_precision
    return IN_FLOAT if in_float else YES


#: Column by column: its title, and what fills a cell.
COLUMNS = {
    "mixer": lambda row: float_cell(row.mixer),
    "residual block": lambda row: float_cell(row.block),
    "whole model": lambda row: float_cell(row.model),
    "both directions": bidirectional_cell,
    "stream": stream_cell,
    "int8": int8_cell,
}


class BothWays(nn.Module):
    def __init__(self, forward_mixer: nn.Module, backward_mixer: nn.Module) -> None:
        super().__init__()
        self.forward_mixer, self.backward_mixer = forward_mixer, backward_mixer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_mixer(x) + self.backward_mixer(x.flip(1)).flip(1)


class Classifier(nn.Module):
    def __init__(self, mixer: nn.Module) -> None:
        super().__init__()
        self.embed, self.mixer = nn.Linear(D_MODEL, D_MODEL), mixer
        self.head = nn.Linear(D_MODEL, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        return self.head((x + self.mixer(x)).mean(dim=1))


def prepared(factory: Factory) -> nn.Module:
    """A model in eval mode with random weights: initial ones and zeros hide mistakes."""
    torch.manual_seed(0)
    model = factory()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


def example(model: nn.Module, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    if any(isinstance(module, nn.Embedding) for module in model.modules()):
        return torch.randint(0, TOKENS, (1, LENGTH), generator=generator)
    return torch.randn(1, LENGTH, D_MODEL, generator=generator)


def original(model: nn.Module, x: torch.Tensor) -> list[np.ndarray]:
    """What the original computes; of a language model's output its logits."""
    with torch.no_grad():
        value: Any = model(x)
    value = getattr(value, "logits", value)
    return [t.numpy() for t in (value if isinstance(value, (tuple, list)) else (value,))]


def _outputs(value: np.ndarray | tuple[np.ndarray, ...]) -> Sequence[np.ndarray]:
    return value if isinstance(value, tuple) else (value,)


def deviation(got: Sequence[np.ndarray], want: Sequence[np.ndarray]) -> float:
    """The largest difference, relative to the largest output."""
    assert [g.shape for g in got] == [w.shape for w in want]
    scale = max(float(np.abs(w).max()) for w in want)
    assert scale > 1e-2, "the comparison says nothing about zeros"
    return max(float(np.abs(g - w).max()) for g, w in zip(got, want, strict=True)) / scale


def _refused(refused: Refused, **options: Any) -> str:
    model = prepared(refused.model)
    with pytest.raises(UnsupportedModelError, match=refused.words):
        scanlet.compile(model, example(model), target="generic", progress=False, **options)
    return NO


@cache
def cell(row: str, column: str) -> str:
    """One cell of the table, tried out once a session."""
    (found,) = (candidate for candidate in ROWS if candidate.name == row)
    return COLUMNS[column](found)


def table() -> str:
    """The table in Markdown, every cell of it tried out."""
    lines = [["dialect", "original", *COLUMNS], ["---"] * (len(COLUMNS) + 2)]
    lines += [[row.name, row.original, *(cell(row.name, c) for c in COLUMNS)] for row in ROWS]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def committed() -> str:
    """The table as the page has it."""
    page = PAGE.read_text(encoding="utf-8")
    return page.split(BEGIN)[1].split(END)[0].strip()


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n\n{table()}\n\n{END}{tail}", encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
