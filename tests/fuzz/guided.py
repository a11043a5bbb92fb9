"""``python -m tests.fuzz.guided TARGET FOLDER [options of libFuzzer]``: one target, guided by the branches it reaches.

What it begins with, and what it finds that reaches more, is kept in FOLDER.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["charging", "api", "jwt", "standardwebhooks"]):
    from tests.fuzz.targets import TARGETS, seeds, words

LONGEST = 4096  # bytes of one input


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough; a finding ends the process with its input."""
    program, name, folder, *options = sys.argv
    corpus = Path(folder) / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed-{number}").write_bytes(seed)
    dictionary = Path(folder) / "words"
    dictionary.write_text("".join(f'"{word}"\n' for word in sorted(words())))
    atheris.Setup([program, str(corpus), f"-dict={dictionary}", f"-max_len={LONGEST}", *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
