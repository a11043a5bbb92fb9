"""The table that people read, and the file that programs read."""

import json
from dataclasses import asdict
from pathlib import Path
from statistics import median

from benches.rows import Row

RESULTS = Path(__file__).parent / "results"


def table(rows: list[Row]) -> str:
    """A markdown table of medians."""
    head = ["what", "ours", "reference", "ratio", "budget", "met", "measured against"]
    lines = [_line(head), _line(["---"] * len(head))]
    return "\n".join([*lines, *(_line(_cells(row)) for row in rows)])


def save(rows: list[Row], conditions: dict[str, str], *, is_whole: bool) -> None:
    """A JSON file of this run; a run of everything is also the new ``latest.md``."""
    RESULTS.mkdir(exist_ok=True)
    measured = [asdict(row) | {"ratio": row.ratio, "is_met": row.is_met} for row in rows]
    name = conditions["at"].replace(":", "").replace("+0000", "Z") + ".json"
    text = json.dumps({"conditions": conditions, "rows": measured}, indent=1, ensure_ascii=False)
    (RESULTS / name).write_text(text + "\n")
    if is_whole:
        (RESULTS / "latest.md").write_text(_latest(rows, conditions))


def _latest(rows: list[Row], conditions: dict[str, str]) -> str:
    facts = "\n".join(f"- {name}: {value}" for name, value in conditions.items())
    notes = "\n".join(f"- {row.what}: {name} {value}" for row in rows for name, value in row.notes.items())
    parts = ["# The latest whole run of `make bench`", table(rows), "## Notes", notes, "## Conditions", facts]
    return "\n\n".join(parts) + "\n"


def _cells(row: Row) -> list[str]:
    ours, reference = (f"{median(values):,.4g} {row.unit}" for values in (row.ours, row.reference))
    return [
        row.what,
        ours,
        reference,
        f"{row.ratio:.2f}",
        str(row.budget),
        "yes" if row.is_met else "**no**",
        row.against,
    ]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
