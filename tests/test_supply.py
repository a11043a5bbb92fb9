"""What is installed: audited, and billed."""

import json
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parent.parent


@pytest.fixture
def audit() -> ModuleType:
    """``.ci/audit.py``, which is in no package."""
    spec = spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bill_of_materials_is_the_lock_always_the_same_and_names_no_registry() -> None:
    one, two = (
        subprocess.run([sys.executable, ".ci/sbom.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert one == two
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(one) is None
    bill = json.loads(one)
    pinned = re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", (ROOT / "requirements.lock").read_text(), re.M)
    assert sorted((c["name"], c["version"]) for c in bill["components"]) == sorted(pinned)
    assert all(component["hashes"] for component in bill["components"])
    del bill["$schema"]
    assert "://" not in json.dumps(bill)


def test_a_known_vulnerability_fails_and_a_silent_service_is_only_said(audit: ModuleType) -> None:
    clean = {"name": "a", "version": "1", "vulns": []}
    hurt = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
    skipped = {"name": "c", "skip_reason": "not found"}
    assert audit.verdicts(json.dumps({"dependencies": [clean]})) == ([], "")
    known, unknown = audit.verdicts(json.dumps({"dependencies": [clean, hurt, skipped]}))
    assert known == ["b 2: PYSEC-1, mended in 2.1"]
    assert unknown.startswith("1 of 3 packages")
    assert audit.verdicts("") == ([], "the vulnerability service did not answer")
