"""The least of each of many windows that move to the right. Pure."""

from collections import deque
from collections.abc import Sequence
from math import inf

_WIDE = 24


def least(values: Sequence[float], first: Sequence[int], beyond: Sequence[int]) -> list[float]:
    """For each window from ``first`` to before ``beyond`` (both never falling) its least value, ``inf`` if empty."""
    widest = max(b - a for a, b in zip(first, beyond, strict=True))
    if widest <= _WIDE:
        return [min(values[a:b]) if a < b else inf for a, b in zip(first, beyond, strict=True)]
    found = []
    ascending: deque[int] = deque()
    seen = 0
    for a, b in zip(first, beyond, strict=True):
        while seen < b:
            while ascending and values[ascending[-1]] >= values[seen]:
                ascending.pop()
            ascending.append(seen)
            seen += 1
        while ascending and ascending[0] < a:
            ascending.popleft()
        found.append(values[ascending[0]] if ascending else inf)
    return found
