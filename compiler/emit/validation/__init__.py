"""Whether a flatbuffer is one that scanlet could have written: every operator, one by one.

The interpreter checks little of this itself. What passes here keeps its kernels within bounds.
"""
