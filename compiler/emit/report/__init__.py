"""report.json and report.html from the dictionary that `scanlet.emit.summary` fills in.

The page is a function of the JSON alone: it can be rendered again at any time, and it holds no
number that the JSON does not. Neither has times or paths of the machine: the same model, options
and versions give the same bytes.

Keys (schema_version 1):
generator; model {name, labels, inputs, outputs: [{name, shape, dtype}]};
target {name, description, core (the emulated one that stands for it, or null), ram_bytes,
flash_bytes}; precision; mode; stream (null in sequence mode) {inputs, outputs: [axis of time or
null], chunk, least, captured, pooling};
operators [{name, custom, inputs, outputs}];
multiply_accumulates {total, per_step, nodes {output: count}, parts {part: count}};
sizes {flatbuffer_bytes, weights_bytes};
arena {needed_bytes, reserved_bytes, recorded, tensors, scratch, persistent, structures};
memory {steps [operator], head_bytes, alive_bytes [bytes], peak {step, operator, bytes}, buffers
[{name, kind, offset, bytes, first, last}]}: the arena's head, step 0 being the input;
plan {tile}; alternatives [{tile, fusion, instructions, ram_bytes, parts, fits, chosen}];
graphs {captured, lowered}: [{operator, inputs, output, shape, dtype, module, mixer, layer}];
layers [{name, shapes, options, tile, partition [{loop, steps}], scratch [{name, offset, bytes}],
scratch_bytes, state_bytes}];
mixers [{path, dialect, deviation, accepted (it is no rounding: accept_deviation)}];
verification {mean_error, max_error, label_agreement, accuracy (null, or with calibration_labels
{pytorch, compiled}), samples, tolerance, ran_on, original (null, or where deviations were accepted
how far the verified model is from the given one: {mean_error, max_error, scale, label_agreement})};
classes (null, or of the verified samples {against, samples, classes, agreement, counts
[{expected, found, count}]}); evaluation (null, or the same against labels that were given);
quantization (null at float32) {state, observer, islands [{nodes, modules, reasons}], sensitivity
[{name, noise_db (null: exact, or zero throughout), largest_error, dtype}]};
golden {samples, inputs, outputs, tolerance, made_by};
steps: of the longest recurrence; expected [{core, tile, instructions, per_step}] by the cost model
(null where it does not fit); measurements [{core, compiler, fused, tile, instructions, per_step,
loads, stores, ram_bytes, stack_bytes, text_bytes, rodata_bytes, parts, kernels}] exact, on
emulated cores;
reproduce {call, command, model_sha256, versions {package: version}}; warnings [text].
"""

from __future__ import annotations

from scanlet.emit.report.page import report_html, report_json

__all__ = ["report_html", "report_json"]
