"""The documents against what is there: links, commands, files, variables."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from benches.report import documented
from charging.session.model import Policy
from charging.settings import Settings

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


def read(name: str) -> str:
    return (ROOT / name).read_text()


def anchors(text: str) -> set[str]:
    """The anchors that a Markdown renderer makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_link_leads_to_a_file_and_heading_that_exist(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f"{target} in {document.name}"
        if anchor:
            assert anchor in anchors(file.read_text()), f"{target} in {document.name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_make_target_that_is_named_exists(document: Path) -> None:
    assert set(re.findall(r"`make ([a-z]+)`", document.read_text())) <= TARGETS


def test_the_figures_are_the_newest_that_were_measured() -> None:
    assert documented(read("docs/performance.md")) == read("docs/performance.md")


def test_the_two_commands_of_the_readme_are_demo_and_test() -> None:
    assert "```sh\nmake demo\nmake test\n```" in read("README.md")


def test_every_file_in_the_architecture_table_exists_and_holds_what_is_named() -> None:
    rows = [row for row in read("docs/architecture.md").splitlines() if re.match(r"\| \d", row)]
    assert len(rows) == 8
    for row in rows:
        where = row.split("|")[2]
        words = re.findall(r"`([^`]+)`", where)
        paths = [ROOT / word for word in words if "/" in word and " " not in word]
        assert all(path.exists() for path in paths), row
        texts = [path.read_text() for path in paths if path.is_file()]
        for name in (word for word in words if "/" not in word):
            assert any(re.search(rf"\b{part}\b", text) for part in name.split(".")[-1:] for text in texts), row


def test_every_place_in_the_finding_table_of_the_readme_exists() -> None:
    _, _, rest = read("README.md").partition("## Find your way around")
    places = re.findall(r"^\| [^|]+ \| ([^|]+) \|$", rest.partition("\n## ")[0], re.MULTILINE)[1:]
    assert len(places) >= 10
    for name in (word for place in places for word in re.findall(r"`([^`]+)`", place)):
        assert (ROOT / name).exists(), name


def test_every_file_that_the_threat_model_names_exists() -> None:
    named = set(re.findall(r"`([\w.]+/[\w/.]+|[\w-]+\.(?:lock|yml))`", read("docs/threat-model.md")))
    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_table_of_variables_is_the_settings_with_their_defaults() -> None:
    _, _, variables = read("docs/operations.md").partition("## Variables")
    documented = dict(re.findall(r"^\| `(CHARGING_(?!POLICY__)\w+)` \| ([^|]*) \|", variables, re.MULTILINE))
    assert documented == {f"CHARGING_{name.upper()}": shown(f.default) for name, f in Settings.model_fields.items()}


def shown(default: Any) -> str:
    """A default as the table of variables shows it."""
    if isinstance(default, SecretStr):
        return "development only"
    if default is None:
        return ""
    if isinstance(default, Policy):
        return "see below"
    if isinstance(default, list):
        return "`" + str(default).replace("'", '"') + "`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_table_of_policies_is_the_policy_with_its_defaults() -> None:
    pattern = r"^\| `CHARGING_POLICY__(\w+)` \| `([^|]*)` \|"
    documented = dict(re.findall(pattern, read("docs/operations.md"), re.MULTILINE))
    policy = Settings.model_fields["policy"].default
    assert documented == {
        name.upper(): f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in policy.model_dump().items()
    }


def test_the_lock_files_name_no_place_to_get_packages_from_and_hash_each_of_them() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = read(name)
        assert "://" not in text
        assert "--index" not in text
        pinned = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==\S+.* \\\n    --hash=sha256:", text, re.MULTILINE)
        assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))
