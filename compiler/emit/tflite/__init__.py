"""Lowering of the graph's operators to TFLite operators, one family a file."""
