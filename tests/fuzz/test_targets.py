"""What reads the words of strangers: the same targets for hypothesis, a little, and for a guided fuzzer, for long."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.budget import SECONDS
from tests.fuzz.targets import TARGETS

each_target = pytest.mark.parametrize("name", TARGETS)


@each_target
@settings(max_examples=40, derandomize=True)
@given(data=st.binary(max_size=60))
def test_it_is_read_or_refused(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.soak
@pytest.mark.timeout(3 * SECONDS + 120)
@each_target
def test_a_guided_fuzzer_finds_nothing(name: str, tmp_path: Path) -> None:
    limits = (f"-max_total_time={SECONDS}", "-timeout=20", "-rss_limit_mb=3000", "-print_final_stats=1")
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(tmp_path), *limits, f"-artifact_prefix={tmp_path}/"]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    sys.stdout.write(ended.stderr[-2000:])
    assert ended.returncode == 0, ended.stderr[-5000:]
