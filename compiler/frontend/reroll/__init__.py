"""Scans that were written out as loops over time, rolled back into one operator."""

from scanlet.frontend.reroll.rerolling import reroll

__all__ = ["reroll"]
