"""The table of ``docs/trust.md`` and the tests that it names."""

from pathlib import Path

from tests.trust.rows import ROWS
from tests.trust.table import document, held_rows

DOCUMENT = Path(__file__).parents[2] / "docs" / "trust.md"


def test_every_row_is_held_by_a_test_and_every_mark_names_a_row() -> None:
    assert {held.row for held in held_rows()} == set(ROWS)


def test_the_document_is_what_is_generated_from_the_tests() -> None:
    assert DOCUMENT.read_text() == document(), "python -m tests.trust.table > docs/trust.md"
