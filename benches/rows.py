"""What a measurement says: one row of the table, ours beside the reference that was measured in the same run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Literal


@dataclass(frozen=True)
class Budget:
    """What is asked of ``measure``: the ratio ours / reference, or ours itself."""

    measure: Literal["ratio", "ours"]
    relation: Literal["≥", "≤"]
    limit: float
    aim: float | None = None

    def is_met(self, value: float) -> bool:
        """Whether ``value`` keeps to the limit."""
        return value >= self.limit if self.relation == "≥" else value <= self.limit

    def __str__(self) -> str:
        what = "" if self.measure == "ours" else " times"
        aim = "" if self.aim is None else f" (aim {self.aim:g}{what})"
        return f"{self.relation} {self.limit:g}{what}{aim}"


@dataclass(frozen=True)
class Row:
    """One row. ``ours`` and ``reference`` hold a value per round; the medians count."""

    what: str
    against: str
    unit: str
    ours: list[float]
    reference: list[float]
    budget: Budget
    notes: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Ours / reference: the median of the rounds' own ratios, since a round's two sides share its conditions."""
        return median(a / b for a, b in zip(self.ours, self.reference, strict=True)) if all(self.reference) else 0.0

    @property
    def is_met(self) -> bool:
        """Whether the budget is kept."""
        return self.budget.is_met(self.ratio if self.budget.measure == "ratio" else median(self.ours))
