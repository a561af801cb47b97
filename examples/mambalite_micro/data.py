"""The test sets of the two published MambaLite-Micro models, and training data to calibrate with.

HAR: 561 features a window (UCI HAR), padded to 570 and viewed as 10 steps of 57.
KWS-3: one second of speech at 16 kHz (Speech Commands v0.02, CC BY 4.0, Warden, arXiv:1804.03209)
as 40 mel bands in decibels, 81 frames padded to 100; classes "_unknown_", "no", "yes".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from examples.precisions import spread

HAR_CLASSES = ("Walking", "Upstairs", "Downstairs", "Sitting", "Standing", "Laying")
KWS_CLASSES = ("_unknown_", "no", "yes")
WHERE_FROM = """\
This example needs a folder (--data, or SCANLET_DATA) with
  mambalite_micro_har_weights.npz, mambalite_micro_kws3_weights.npz
      the weights published with MambaLite-Micro (arXiv:2509.05488) as arrays
  uci_har_feat561.npz
      the 561 features of UCI HAR: X_test (2947, 561), y_test 1..6, X_train (7352, 561)
  speech_commands_v2_test12.npz and .flac
      the 12-class test set of Speech Commands v0.02: word (clips,), 16,000 samples each
  speech_commands_trainval.npz and .flac
      clips that are in no test set: split (clips,) "training" or "validation\""""

RATE = 16_000
_FFT, _HOP, _MELS = 400, 200, 40
_FRAMES = 100


def load_har(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """All test windows x (2947, 10, 57) and class indices y."""
    stored = np.load(folder / "uci_har_feat561.npz")
    return _har_steps(stored["X_test"]), stored["y_test"].astype(int) - 1


def load_har_calibration(folder: Path, count: int) -> np.ndarray:
    """Windows x (count, 10, 57) of all training people, who are not those of the test set."""
    features = np.load(folder / "uci_har_feat561.npz")["X_train"]
    return _har_steps(features[spread(len(features), count)])


def load_kws(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """All test clips x (4890, 100, 40) and class indices y; every other word is unknown."""
    words = np.load(folder / "speech_commands_v2_test12.npz")["word"]
    y = [KWS_CLASSES.index(word) if word in KWS_CLASSES else 0 for word in words]
    return _mel_steps(_read_clips(folder / "speech_commands_v2_test12.flac")), np.asarray(y)


def load_kws_calibration(folder: Path, count: int) -> np.ndarray:
    """Training clips x (count, 100, 40), every word among them; none is in the test set."""
    split = np.load(folder / "speech_commands_trainval.npz")["split"]
    training = np.flatnonzero(split == "training")
    clips = _read_clips(folder / "speech_commands_trainval.flac")
    return _mel_steps(clips[training[spread(len(training), count)]])


def _har_steps(features: np.ndarray) -> np.ndarray:
    """The network's view (B, 10, 57) of features (B, 561), padded with zeros."""
    return np.pad(features, ((0, 0), (0, 570 - 561))).reshape(-1, 10, 57).astype(np.float32)


def _read_clips(path: Path) -> np.ndarray:
    import soundfile

    samples, rate = soundfile.read(path, dtype="int16")
    if rate != RATE:
        raise SystemExit(f"{path.name} has {rate} samples a second, not {RATE}")
    return samples.reshape(-1, RATE)


def _mel_steps(clips: np.ndarray) -> np.ndarray:
    x = [
        mel_decibels(clips[i : i + 256].astype(np.float32) / 32768)
        for i in range(0, len(clips), 256)
    ]
    return np.concatenate(x)


def mel_decibels(clips: np.ndarray) -> np.ndarray:
    """Mel power spectrum of clips (B, samples in [-1, 1]) in decibels, (B, 100, 40) float32.

    The defaults of torchaudio's MelSpectrogram with 40 bands: a periodic Hann window of 400, half
    overlapping, centred with reflection; triangular filters on the HTK scale, not normalized.
    Frames past the clip's end are zeros, as in the published training.
    """
    with torch.no_grad():
        spectrum = torch.stft(
            torch.from_numpy(clips),
            n_fft=_FFT,
            hop_length=_HOP,
            window=torch.hann_window(_FFT),
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        power = spectrum.abs().square().transpose(1, 2)  # (B, frames, 201)
        mel = (power @ torch.from_numpy(_mel_filters())).numpy()
    decibels = 10 * np.log10(np.maximum(mel, 1e-10))
    padding = _FRAMES - decibels.shape[1]
    return np.pad(decibels, ((0, 0), (0, padding), (0, 0))).astype(np.float32)


def _mel_filters() -> np.ndarray:
    """Triangles (201, 40) whose corners are equally spaced on the HTK mel scale, 0 to 8 kHz."""
    frequencies = np.linspace(0, RATE / 2, _FFT // 2 + 1)
    highest = 2595 * np.log10(1 + RATE / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, highest, _MELS + 2) / 2595) - 1)
    low, peak, high = corners[:-2], corners[1:-1], corners[2:]
    rising = (frequencies[:, None] - low) / (peak - low)
    falling = (high - frequencies[:, None]) / (high - peak)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
