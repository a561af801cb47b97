"""The generic C library: the whole network as plain C, without TFLM."""
