"""Where the programs are that the wheels bring."""

import os
import shutil
import sys
from pathlib import Path


def program(name: str) -> str:
    """The path of a program (``temporal``, ``charging``, ``curl`` …): beside this Python, else on the PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    assert found, f"{name} is not installed: run `make setup`"
    return found
