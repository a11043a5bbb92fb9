"""The table that people read, the file that programs read, and the newest figures in docs/performance.md."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benches.rows import Budget, Row

RESULTS = Path(__file__).parent / "results"
DOCUMENT = Path(__file__).parent.parent / "docs/performance.md"
_PLACE = re.compile(r"(?<=<!-- figures -->\n).*(?=<!-- /figures -->)", re.DOTALL)


def table(rows: list[Row]) -> str:
    """A markdown table of medians."""
    head = ["what", "ours", "reference", "ratio", "budget", "met", "measured against"]
    lines = [_line(head), _line(["---"] * len(head))]
    return "\n".join([*lines, *(_line(_cells(row)) for row in rows)])


def save(rows: Mapping[str, Sequence[Row]], conditions: dict[str, str]) -> None:
    """A JSON file of this run, whose rows stand under the name of their bench; the document follows.

    Raises ``ValueError`` where two rows of a bench have one name: only one of them would be in the document.
    """
    for bench, its_rows in rows.items():
        if len({row.what for row in its_rows}) < len(its_rows):
            raise ValueError(f"two rows of {bench} have one name")
    RESULTS.mkdir(exist_ok=True)
    measured = [
        {"bench": bench, **asdict(row), "ratio": row.ratio, "is_met": row.is_met}
        for bench, its_rows in rows.items()
        for row in its_rows
    ]
    name = conditions["at"].replace(":", "").replace("+0000", "Z") + ".json"
    text = json.dumps({"conditions": conditions, "rows": measured}, indent=1, ensure_ascii=False)
    (RESULTS / name).write_text(text + "\n")
    DOCUMENT.write_text(documented(DOCUMENT.read_text()))


def documented(document: str) -> str:
    """``document`` with the newest figure of every row of every bench."""
    newest: dict[tuple[str, str], tuple[dict[str, Any], Row]] = {}
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        for stored in result["rows"]:
            newest[stored["bench"], stored["what"]] = result["conditions"], _row(stored)
    parts = [_of_bench(bench, newest) for bench in sorted({bench for bench, _ in newest})]
    return _PLACE.sub(lambda _: "\n" + "\n\n".join(parts) + "\n\n", document)


def _of_bench(bench: str, newest: Mapping[tuple[str, str], tuple[dict[str, Any], Row]]) -> str:
    own = [found for (name, _), found in newest.items() if name == bench]
    head = ["what", "ours", "reference", "ratio", "budget", "met", "measured"]
    lines = [f"### `python -m benches {bench}`", "", _line(head), _line(["---"] * len(head))]
    for conditions, row in own:
        date, load = conditions["at"][:10], conditions["load before"].split()[0]
        lines.append(_line([*_cells(row)[:-1], f"{date}, load {load}, {conditions['commit']}"]))
    noted = {row.what: "; ".join(f"{name} {value}" for name, value in row.notes.items()) for _, row in own}
    notes = [f"{what}: {note}" for what, note in noted.items() if note]
    return "\n".join([*lines, *(["", *(f"- {note}" for note in notes)] if notes else [])])


def _row(stored: dict[str, Any]) -> Row:
    names = ("what", "against", "unit", "ours", "reference", "notes")
    return Row(**{name: stored[name] for name in names}, budget=Budget(**stored["budget"]))


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
