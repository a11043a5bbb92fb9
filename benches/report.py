"""The table that people read, the file that programs read, and the newest figures in docs/performance.md."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, Final

from benches.rows import Budget, Row

RESULTS = Path(__file__).parent / "results"
DOCUMENT = Path(__file__).parent.parent / "docs/performance.md"
_HEAD: Final = ["what", "ours", "reference", "which is", "ratio", "budget", "met"]
# What the design asks for: the bench, and a pattern of its rows' names.
_DESIGN: Final = (
    ("history_events", "history events, .*"),
    ("sessions_per_second", "whole sessions per second, 50 at once"),
    ("status_reads", "status reads per second.*"),
    ("start_latency", "POST /start, p50.*"),
    ("session_pushes", "session pushes per second.*"),
    ("worker_memory", "worker memory per 1,000 open sessions"),
    ("planner", "departure plan, 672 slots"),
)
_Figures = Mapping[tuple[str, str], tuple[dict[str, Any], Row]]


def table(rows: list[Row]) -> str:
    """A markdown table of medians."""
    lines = [_line(_HEAD), _line(["---"] * len(_HEAD))]
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
    """``document`` with the newest figure of every row of every bench, and on top those that the design asks for."""
    newest = _newest()
    parts = [_of_bench(bench, newest) for bench in sorted({bench for bench, _ in newest})]
    return _placed(_placed(document, "budgets", _budgets(newest)), "figures", "\n\n".join(parts))


def _placed(document: str, name: str, text: str) -> str:
    place = re.compile(rf"(?<=<!-- {name} -->\n).*(?=<!-- /{name} -->)", re.DOTALL)
    return place.sub(lambda _: f"\n{text}\n\n", document)


def _newest() -> _Figures:
    """The conditions and the newest measurement of each row, by its bench and its name."""
    newest: dict[tuple[str, str], tuple[dict[str, Any], Row]] = {}
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        for stored in result["rows"]:
            newest[stored["bench"], stored["what"]] = result["conditions"], _row(stored)
    return newest


def _budgets(newest: _Figures) -> str:
    head = ["what", "budget", "measured", "met", "command"]
    lines = [_line(head), _line(["---"] * len(head))]
    for bench, pattern in _DESIGN:
        rows = [row for (name, what), (_, row) in newest.items() if name == bench and re.fullmatch(pattern, what)]
        command = f"`python -m benches {bench}`"
        lines += [_line([row.what, str(row.budget), _measured(row), _met(row), command]) for row in rows]
    return "\n".join(lines)


def _measured(row: Row) -> str:
    """What the budget is about, in the digits of the other tables."""
    is_ratio = row.budget.measure == "ratio"
    return f"{_figure(row.ratio, 3)} times" if is_ratio else f"{_figure(median(row.ours), 4)} {row.unit}"


def _of_bench(bench: str, newest: _Figures) -> str:
    own = [found for (name, _), found in newest.items() if name == bench]
    head = [*_HEAD, "measured"]
    lines = [f"### `python -m benches {bench}`", "", _line(head), _line(["---"] * len(head))]
    for conditions, row in own:
        date, load = conditions["at"][:10], conditions["load before"].split()[0]
        lines.append(_line([*_cells(row), f"{date}, load {load}, {conditions['commit']}"]))
    noted = {row.what: "; ".join(f"{name} {value}" for name, value in row.notes.items()) for _, row in own}
    notes = [f"{what}: {note}" for what, note in noted.items() if note]
    return "\n".join([*lines, *(["", *(f"- {note}" for note in notes)] if notes else [])])


def _row(stored: dict[str, Any]) -> Row:
    names = ("what", "against", "unit", "ours", "reference", "notes")
    return Row(**{name: stored[name] for name in names}, budget=Budget(**stored["budget"]))


def _cells(row: Row) -> list[str]:
    ours, reference = (f"{_figure(median(values), 4)} {row.unit}" for values in (row.ours, row.reference))
    return [row.what, ours, reference, row.against, _figure(row.ratio, 3), str(row.budget), _met(row)]


def _met(row: Row) -> str:
    return "yes" if row.is_met else "**no**"


def _figure(value: float, digits: int) -> str:
    """``value`` to so many significant digits, without an exponent."""
    return f"{float(f'{value:.{digits}g}'):,g}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
