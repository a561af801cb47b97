"""Keyword spotting over a long recording: what counts as a detection, and the whole story."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from examples.keyword_spotting import features, recording, run, stream
from examples.keyword_spotting.data import CLASSES, SILENCE, Clips, synthetic_audio
from examples.keyword_spotting.recording import Word
from examples.keyword_spotting.stream_model import StreamingSpotter

RunExample = Callable[..., str]


def steps(*words: int) -> np.ndarray:
    """Scores that are sure of one class a step; -1: of none."""
    scores = np.zeros((len(words), len(CLASSES)), np.float32)
    for step, word in enumerate(words):
        if word >= 0:
            scores[step, word] = 20
    return scores


def test_a_word_has_to_stay_for_some_steps_and_then_pauses() -> None:
    n, pause = stream.IN_A_ROW, round(stream.PAUSE / stream.STEP_SECONDS)
    heard = [-1] * 10 + [1] * (n - 1) + [2] * n + [SILENCE] * pause + [3] * 2 * n
    (first, second) = stream.detections(iter(steps(*heard)))
    assert (first.word, second.word) == (2, 3)
    assert first.seconds == (10 + 2 * n - 1) * stream.STEP_SECONDS
    assert second.seconds == (10 + 3 * n - 1 + pause) * stream.STEP_SECONDS
    assert first.confidence > 0.99
    assert not list(stream.detections(iter(steps(*[SILENCE] * 50))))


def test_a_detection_is_right_once_where_its_word_was_said() -> None:
    found = [stream.Detection(t, word, 1.0) for t, word in ((1.5, 0), (1.9, 0), (4.0, 1), (9.0, 2))]
    words = (Word(1.0, 0), Word(3.5, 2), Word(9.5, 2))
    assert stream.assign(words, found) == [True, False, False, False]


def test_a_recording_holds_its_clips_where_it_says() -> None:
    audio = synthetic_audio()
    clips = Clips(audio, np.array([0, 1, 2, 3, 4, SILENCE]))
    noise = np.zeros((2, 3 * features.SAMPLES), np.int16)
    made = recording.from_clips(clips, noise)
    assert [word.kind for word in made.words] != sorted(word.kind for word in made.words)
    for word in made.words:
        start = round(word.start * features.SAMPLE_RATE)
        np.testing.assert_array_equal(made.audio[start : start + len(audio[0])], audio[word.kind])
    np.testing.assert_array_equal(
        np.stack(list(recording.frames_of(made.audio))), features.frames(made.audio)
    )


def test_the_causal_network_computes_the_trained_one_but_for_its_first_steps() -> None:
    """Without the mean: from the third step on, both see the same frames, one frame apart."""
    model, mean, std = run.load_model()
    causal = StreamingSpotter(model, torch.from_numpy(mean), torch.from_numpy(std)).eval()
    x = torch.from_numpy(features.features(synthetic_audio()[:1]))
    steps_seen = []
    model.mixer.register_forward_pre_hook(lambda _module, given: steps_seen.append(given[0]))
    with torch.no_grad():
        causal(x)
        model((x[:, 1:] - causal.mean) / causal.std)
    whole, trained = steps_seen
    assert torch.allclose(whole[:, 3:], trained[:, : whole.shape[1] - 3], atol=1e-5)


def test_without_recordings_it_listens_to_synthetic_audio(
    run_example: RunExample, tmp_path: Path
) -> None:
    output = run_example("keyword_spotting", "--synthetic", "-o", str(tmp_path), module="stream")
    for precision in ("float32", "int8"):
        assert re.search(rf"6 s of sound, {precision}: no words said, \d+ false alarms", output)
        assert (tmp_path / precision / "model" / "model.tflite").is_file()


def test_words_in_a_recording_are_detected(
    shared_data: Path, run_example: RunExample, tmp_path: Path
) -> None:
    output = run_example(
        *("keyword_spotting", "--data", str(shared_data), "--clips", "40", "--precision", "int8"),
        *("-o", str(tmp_path)),
        module="stream",
    )
    hits, said, false = map(
        int, re.search(r"(\d+) of (\d+) words detected, (\d+) false alarms", output).groups()
    )
    assert said >= 20
    assert hits >= 0.6 * said
    assert false <= 0.3 * said
