"""Mixers become one node each, from a module or from an exported program, and mean the same."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from frontend_models import Classifier, Shell, assert_captured_exactly, mixer, random_inputs
from torch import nn

from scanlet.errors import UnsupportedModelError
from scanlet.frontend import capture
from scanlet.graph.operators import SelectiveSSM
from scanlet.nn import Bidirectional

KINDS = ("own", "loop", "pscan")
X = torch.zeros(1, 11, 4)


def ssm_nodes(captured) -> list:
    return [node for node in captured.graph.nodes if isinstance(node.op, SelectiveSSM)]


def export(model: nn.Module, x: torch.Tensor = X) -> torch.export.ExportedProgram:
    return torch.export.export(model, (x,), strict=False)


def assert_matches(captured, model: nn.Module) -> None:
    """Exact against the float64 reference; the reference itself against plain PyTorch."""
    arrays = random_inputs(captured)
    (got,), (want,) = captured.graph.evaluate(arrays), captured.reference64(*arrays)
    np.testing.assert_allclose(got, want, atol=1e-10, rtol=1e-10)
    with torch.no_grad():  # mambapy computes A in float32 even in a float64 run
        plain = copy.deepcopy(model).double()(*map(torch.from_numpy, arrays)).numpy()
    np.testing.assert_allclose(want, plain, atol=1e-6)
    assert np.abs(plain).max() > 0.01
    single = [x.astype(np.float32) for x in arrays]
    with torch.no_grad():
        expected = model(*map(torch.from_numpy, single)).numpy()
    np.testing.assert_allclose(captured.reference(*single)[0], expected, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_module_is_captured_exactly_with_one_node_a_mixer(kind):
    model = Classifier(mixer(kind), mixer(kind, d_state=5, d_conv=2))
    captured = capture(model, X)
    assert [node.op.d_state for node in ssm_nodes(captured)] == [3, 5]
    assert [record.path for record in captured.mixers] == ["layers.0", "layers.1"]
    assert all(record.deviation < 1e-5 for record in captured.mixers)
    assert_matches(captured, model)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [10, 16])
def test_an_exported_program_is_captured_exactly(kind, length):
    model = Classifier(mixer(kind), mixer(kind, bias=True))
    captured = capture(export(model, torch.zeros(1, length, 4)))
    assert [record.path for record in captured.mixers] == ["layers.0", "layers.1"]
    assert len(ssm_nodes(captured)) == 2
    assert_matches(captured, model)


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_saved_to_a_pt2_is_captured_exactly(kind, tmp_path):
    model = Classifier(mixer(kind))
    torch.export.save(export(model), tmp_path / "model.pt2")
    captured = capture(str(tmp_path / "model.pt2"))
    assert len(ssm_nodes(captured)) == 1
    assert_matches(captured, model)


@pytest.mark.parametrize("kind", KINDS)
def test_a_decomposed_program_is_captured_exactly(kind):
    model = Classifier(mixer(kind))
    captured = capture(export(model).run_decompositions())
    assert len(ssm_nodes(captured)) == 1
    assert captured.mixers[0].deviation < 1e-5
    assert_matches(captured, model)


def test_module_and_program_give_the_same_nodes():
    model = Classifier(mixer("own"))
    from_module, from_program = capture(model, X), capture(export(model))
    assert [node.op for node in from_module.graph.nodes] == [
        node.op for node in from_program.graph.nodes
    ]
    names = [
        {t.name for t in c.graph.tensors() if t.is_constant} for c in (from_module, from_program)
    ]
    assert names[0] == names[1]
    assert {"layers.0.in_proj.weight", "layers.0.A", "head.weight"} <= names[0]


def test_in_place_operators_around_a_mixer_are_made_functional():
    model = Shell(lambda m, x: m.act(m.layer(m.act(x))), layer=mixer("pscan", 4), act=nn.ReLU(True))
    captured = capture(export(model))
    assert len(ssm_nodes(captured)) == 1
    arrays = random_inputs(captured)
    np.testing.assert_allclose(
        captured.graph.evaluate(arrays)[0], captured.reference64(*arrays)[0], atol=1e-10
    )


@pytest.mark.parametrize("source", ["module", "program"])
def test_a_shared_mixer_shares_its_weights(source):
    layer = mixer("loop")
    model = Classifier(layer, layer)
    captured = capture(model, X) if source == "module" else capture(export(model))
    first, second = ssm_nodes(captured)
    assert len(captured.mixers) == 1
    assert all(a is b for a, b in zip(first.inputs[1:], second.inputs[1:], strict=True))
    assert_matches(captured, model)


@pytest.mark.parametrize("source", ["module", "program"])
def test_a_flip_and_add_wrapper_keeps_two_mixers(source):
    model = Classifier(Bidirectional(mixer("own"), mixer("own", d_conv=3)))
    captured = capture(model, X) if source == "module" else capture(export(model))
    assert [r.path for r in captured.mixers] == [
        "layers.0.forward_mixer",
        "layers.0.backward_mixer",
    ]
    assert_matches(captured, model)


@pytest.mark.parametrize("source", ["module", "program"])
def test_the_model_may_be_a_mixer_itself(source):
    model, x = mixer("loop", 4), torch.zeros(1, 5, 4)
    captured = capture(model, x) if source == "module" else capture(export(model, x))
    assert len(captured.graph.nodes) == 1
    assert_matches(captured, model)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_short_sequences(length):
    assert_captured_exactly(Classifier(mixer("own", d_conv=4)), torch.zeros(1, length, 4))


def test_records_state_the_shapes():
    (record,) = capture(Classifier(mixer("own", dt_rank=2, expand=3)), X).mixers
    assert (record.d_model, record.d_inner, record.d_state) == (6, 18, 3)
    assert (record.d_conv, record.dt_rank, record.dialect) == (4, 2, "mamba_ssm")


def test_a_mup_block_without_norm_weights_is_the_same_function():
    from mambapy.mamba import MambaConfig, ResidualBlock

    config = MambaConfig(d_model=4, n_layers=1, d_state=3, mup=True, mup_base_width=4)
    captured = capture(ResidualBlock(config).eval(), torch.zeros(1, 6, 4))
    assert len(ssm_nodes(captured)) == 1


def test_the_users_model_is_left_as_it_was():
    model = Classifier(mixer("own"))
    before = copy.deepcopy(model.state_dict())
    layer, weight = model.layers[0], model.layers[0].A_log
    capture(model, X)
    assert model.layers[0] is layer
    assert layer.A_log is weight
    assert weight.requires_grad
    assert not model.training
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[name], atol=0, rtol=0)


def test_verification_can_be_left_out():
    (record,) = capture(Classifier(mixer("own")), X, verify=False).mixers
    assert record.deviation is None


def test_a_mixer_that_is_never_called_is_not_reported():
    model = Shell(lambda m, x: m.used(x), used=mixer("own", 4), unused=mixer("own", 4))
    assert [record.path for record in capture(model, X).mixers] == ["used"]
    assert [record.path for record in capture(export(model)).mixers] == ["used"]


def test_a_program_with_a_free_batch_dimension_is_captured_for_batch_1():
    model = Classifier(mixer("loop"))
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(
        model, (torch.zeros(3, 5, 4),), dynamic_shapes=({0: batch},), strict=False
    )
    captured = capture(program, torch.zeros(1, 5, 4))
    assert captured.graph.outputs[0].shape == (1, 3)
    assert_matches(captured, model)


def without_hierarchy(model: nn.Module) -> torch.export.ExportedProgram:
    flat = export(export(model).module())
    for node in flat.graph.nodes:
        node.meta.pop("nn_module_stack", None)
    return flat


def test_a_program_without_module_hierarchy_is_refused_if_its_scan_is_no_loop():
    with pytest.raises(UnsupportedModelError, match=r"layers\.0\.A_log: .*hierarchy") as caught:
        capture(without_hierarchy(Classifier(mixer("pscan"))))
    assert "nn.Module" in caught.value.hint


def test_a_program_without_module_hierarchy_is_rolled_from_its_loops():
    model = Classifier(mixer("loop"), mixer("loop", d_state=5))
    captured = capture(without_hierarchy(model))
    assert [node.op.d_state for node in ssm_nodes(captured)] == [3, 5]
    assert_matches(captured, model)


def test_a_program_with_flattened_names_is_rolled_from_its_loop():
    class Flat(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.names = [name.replace(".", "_") for name, _ in layer.named_parameters()]
            for name, parameter in layer.named_parameters():
                self.register_parameter(f"mixer_{name.replace('.', '_')}", parameter)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            from scanlet.nn.functional import mamba_mixer

            p = {name: getattr(self, f"mixer_{name}") for name in self.names}
            return mamba_mixer(
                x,
                *(p["in_proj_weight"], None, p["conv1d_weight"], p["conv1d_bias"]),
                *(p["x_proj_weight"], p["dt_proj_weight"], p["dt_proj_bias"]),
                *(p["A_log"], p["D"], p["out_proj_weight"], None),
            )

    model = Flat(mixer("own", 4)).eval()
    captured = capture(export(model))
    assert [node.op.d_state for node in ssm_nodes(captured)] == [3]
    assert_matches(captured, model)
