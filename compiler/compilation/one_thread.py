"""Libraries of linear algebra on one thread: with more of them, some split their sums elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """NumPy's and PyTorch's matrix products, factorizations and sums on one thread for the block.

    The same call then gives the same bits whatever OMP_NUM_THREADS says and however many cores
    the machine has.
    """
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch is not None else 0
    with threadpool_limits(limits=1):
        if torch is not None:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(threads)
