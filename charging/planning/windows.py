"""The least of each of many windows that move to the right. Pure."""

from collections import deque
from collections.abc import Sequence
from math import inf
from operator import sub

_WIDE = 12


class Windows:
    """Windows from ``first`` to before ``beyond``, both never falling."""

    def __init__(self, first: Sequence[int], beyond: Sequence[int]) -> None:
        self.first, self.beyond = first, beyond
        widest = max(map(sub, beyond, first))
        # Narrow ones: the first of each window, the second of each, and so on; -1 is what lies behind the last value.
        self.columns = [
            [a + nth if a + nth < b else -1 for a, b in zip(first, beyond, strict=True)]
            for nth in range(max(widest, 1) if widest <= _WIDE else 0)
        ]

    def least(self, values: Sequence[float]) -> list[float]:
        """The least value in each window, ``inf`` in an empty one."""
        if not self.columns:
            return self._least_of_wide(values)
        value = [*values, inf].__getitem__
        if len(self.columns) == 1:
            return list(map(value, self.columns[0]))
        return list(map(min, *(map(value, column) for column in self.columns)))

    def _least_of_wide(self, values: Sequence[float]) -> list[float]:
        found = []
        ascending: deque[int] = deque()
        seen = 0
        for a, b in zip(self.first, self.beyond, strict=True):
            while seen < b:
                while ascending and values[ascending[-1]] >= values[seen]:
                    ascending.pop()
                ascending.append(seen)
                seen += 1
            while ascending and ascending[0] < a:
                ascending.popleft()
            found.append(values[ascending[0]] if ascending else inf)
        return found
