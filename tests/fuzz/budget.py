"""How long each fuzzer runs: ``make fuzz SECONDS=n``."""

import os

SECONDS = int(os.environ.get("FUZZ_SECONDS", "30"))
