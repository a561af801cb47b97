"""From float to integers: ranges of real data, fixed-point parameters, rounding of weights.

Data flow: `calibration` runs the legal float graph over samples, `network` rewrites the graph with
what it saw, `sensitivity` says where the result deviates.
"""
