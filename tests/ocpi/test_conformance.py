"""docs/ocpi.md against the code: each module that we offer or call stands in its table, each quirk has its test."""

import inspect
import re
from pathlib import Path

from api.ocpi.versions import MODULES
from charging.ocpi import client
from charging.ocpi.findings import RULES
from charging.ocpi.versions import DIALECTS
from tests.ocpi import quirks

TEXT = (Path(__file__).parents[2] / "docs" / "ocpi.md").read_text()
VERSIONS = ("2.1.1", "2.2.1", "2.3.0")
ROWS = {
    cells[0]: cells
    for line in TEXT.splitlines()
    if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 9 and cells[0] not in ("Module", "---")
}


def served(module: str) -> dict[str, str]:
    return dict(zip(VERSIONS, ROWS[module][2:5], strict=True))


def test_the_table_says_in_which_versions_a_module_is_served() -> None:
    for module, role in MODULES:
        assert module == "credentials" or ROWS[module][1].startswith(role), module
        offered = {version for version, dialect in DIALECTS.items() if module in dialect.modules}
        assert {version for version, says in served(module).items() if says == "yes"} == offered, module


def test_no_module_is_promised_that_version_details_do_not_offer() -> None:
    assert ROWS.keys() - {"versions"} == {module for module, _ in MODULES}


def test_every_module_that_the_client_calls_is_in_the_table() -> None:
    called = set(re.findall(r'_(?:endpoint|objects)\("(\w+)"', inspect.getsource(client)))
    assert called
    for module in called:
        assert "yes" in ROWS[module][6:9], module


def test_every_quirk_has_a_row_and_a_test_of_its_number() -> None:
    rows = [int(number) for number in re.findall(r"^\| Q(\d+) \|", TEXT, re.MULTILINE)]
    assert rows == list(range(1, 46))
    tests = "".join(path.read_text() for path in Path(inspect.getfile(quirks)).parent.glob("test_*.py"))
    names = re.findall(r"def (test_q\w+)", tests)
    tested = {int(number) for name in names for number in re.findall(r"_q(\d\d)(?=_)", name)}
    assert tested == set(range(1, 46))


def test_every_rule_has_words_and_a_place_in_the_specification() -> None:
    assert all(rule.words.endswith((".", "?")) for rule in RULES.values())
