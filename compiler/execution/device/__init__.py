"""Talk with a board that serves a model on its serial port; docs/device.md has the protocol."""
