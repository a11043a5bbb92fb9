"""What a reader of the figures is told: how far each is from its budget, and from what."""

import pytest

from benches.report import table
from benches.rows import Budget, Row


def cells(ours: list[float], reference: list[float], limit: float) -> list[str]:
    """The row of such a measurement."""
    budget = Budget("ratio", "≥", limit)
    row = Row("pushes", "a trivial answer", "1/s", ours, reference, budget)
    return table([row]).splitlines()[-1].strip("| ").split(" | ")


def test_a_row_says_what_its_reference_is_and_whether_the_budget_is_met() -> None:
    assert cells([784.5], [10430], 0.08) == [
        "pushes",
        "784.5 1/s",
        "10,430 1/s",
        "a trivial answer",
        "0.0752",
        "≥ 0.08 times",
        "**no**",
    ]


@pytest.mark.parametrize(
    ("ours", "shown"),
    [(0.0796, "0.0796"), (0.08, "0.08"), (4.956, "4.96"), (463.87, "464"), (1234.5, "1,230"), (0, "0")],
)
def test_a_ratio_has_three_significant_digits(ours: float, shown: str) -> None:
    assert cells([ours], [1], 0.08)[4] == shown


def test_a_ratio_is_the_median_of_those_of_the_rounds_and_not_that_of_the_medians() -> None:
    _, ours, reference, _, ratio, _, is_met = cells([1, 2, 4], [1, 4, 4], 1)
    assert (ours, reference, ratio, is_met) == ("2 1/s", "4 1/s", "1", "yes")
