"""``python -m tests.fuzz.guided TARGET [options of libFuzzer]``: one target, guided by the branches that it reaches."""

import sys

import atheris

with atheris.instrument_imports(include=["charging", "api", "jwt"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough; a finding ends the process with its input."""
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
