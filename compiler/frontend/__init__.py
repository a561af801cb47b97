"""From PyTorch to the graph: recognise mixers, capture and lower what is around them."""

from scanlet.frontend.capture import Capture, MixerRecord, capture

__all__ = ["Capture", "MixerRecord", "capture"]
