"""Which class was expected and which one came out: a confusion matrix that stays small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any


def confusion(pairs: Sequence[tuple[int, int]], classes: int, against: str) -> dict[str, Any]:
    """Counts of (expected, found) class indices; `against` says who expected them.

    Only pairs that occur are listed, most frequent first: a vocabulary would make a large matrix.
    """
    counts = Counter(pairs)
    same = sum(count for (expected, found), count in counts.items() if expected == found)
    return {
        "against": against,
        "samples": len(pairs),
        "classes": classes,
        "agreement": same / len(pairs) if pairs else None,
        "counts": [
            {"expected": expected, "found": found, "count": count}
            for (expected, found), count in sorted(counts.items(), key=lambda i: (-i[1], i[0]))
        ],
    }
