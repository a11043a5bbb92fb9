"""The house itself: what is imported is what stands in this repository."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("package", ["workflows", "activities", "api", "charging", "worker"])
def test_a_root_package_is_ours_and_not_an_installed_one_of_the_same_name(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__file__ is not None
    assert Path(module.__file__).is_relative_to(ROOT)
