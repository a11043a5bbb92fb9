"""``python -m tests.trust.table > docs/trust.md``: which test holds which row.

The tests are read, not run: a function counts for the rows of each ``pytest.mark.trust(...)`` in its decorators, those
of its parameters included.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.trust.rows import PARTS, ROWS

HERE = Path(__file__).parent
TESTS = HERE.parent
INTRODUCTION = (HERE / "introduction.md").read_text()


@dataclass(frozen=True)
class HeldBy:
    """A test that holds a row."""

    row: str
    test: str
    file: str
    is_soak: bool


def held_rows() -> list[HeldBy]:
    """Every mark in every test file, those of this folder first, in the order of files and lines."""
    paths = sorted(TESTS.rglob("test_*.py"), key=lambda path: (path.parent != HERE, path))
    return [held for path in paths for held in _held_in(path)]


def _held_in(path: Path) -> Iterator[HeldBy]:
    text = path.read_text()
    tree = ast.parse(text if "mark.trust(" in text else "")  # most have none: parsing them all takes a second
    all_soak = any(isinstance(node, ast.Assign) and _is_pytestmark(node) and _is_soak(node) for node in tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            soak = all_soak or any(_is_soak(decorator) for decorator in node.decorator_list)
            for row in dict.fromkeys(row for decorator in node.decorator_list for row in _rows(decorator)):
                yield HeldBy(row, node.name, path.relative_to(TESTS).as_posix(), soak)


def _rows(decorator: ast.expr) -> Iterator[str]:
    for node in ast.walk(decorator):
        if isinstance(node, ast.Call) and _is_mark(node.func, "trust"):
            yield from (ast.literal_eval(argument) for argument in node.args)


def _is_soak(node: ast.AST) -> bool:
    return any(_is_mark(each, "soak") for each in ast.walk(node))


def _is_mark(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) == f"pytest.mark.{name}"


def _is_pytestmark(node: ast.Assign) -> bool:
    return [ast.unparse(target) for target in node.targets] == ["pytestmark"]


def document() -> str:
    """The whole of ``docs/trust.md``."""
    held = held_rows()
    lines = [INTRODUCTION]
    for row, (happens, outcome) in ROWS.items():
        if row in PARTS:
            lines += [f"\n## {PARTS[row]}\n", "| | What happens | What must come of it | Test |", "|---|---|---|---|"]
        lines.append(f"| {row} | {happens} | {outcome} | {_tests(row, held)} |")
    return "\n".join(lines) + "\n"


def _tests(row: str, held: list[HeldBy]) -> str:
    links = (
        f"[{each.test.removeprefix('test_').replace('_', ' ')}](../tests/{each.file})"
        + (" (soak)" if each.is_soak else "")
        for each in held
        if each.row == row
    )
    return "<br>".join(links)


if __name__ == "__main__":
    sys.stdout.write(document())
