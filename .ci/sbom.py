"""The software bill of materials of requirements.lock, as CycloneDX JSON: `make sbom`. The same lock, the same bill.

It names what is installed and the hashes that a file of it may have, and no place where anybody gets it from.
"""

import json
import subprocess
import sys
from typing import Any

_COMMAND = ("-m", "cyclonedx_py", "requirements", "--output-reproducible", "--short-PURLs", "--no-validate")
_OPTIONS = ("--spec-version", "1.6", "--pyproject", "pyproject.toml", "requirements.lock")


def main() -> None:
    """Print the bill."""
    run = subprocess.run([sys.executable, "-W", "ignore", *_COMMAND, *_OPTIONS], capture_output=True, check=True)
    bill = json.loads(run.stdout)
    del bill["metadata"]["tools"]
    bill["components"] = [_plain(component) for component in bill["components"]]
    # The lock does not say what needs what: everything is there for the engine.
    names = [component["bom-ref"] for component in bill["components"]]
    bill["dependencies"] = [{"ref": "root-component", "dependsOn": names}, *({"ref": name} for name in names)]
    json.dump(bill, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


def _plain(component: dict[str, Any]) -> dict[str, Any]:
    """Named by its package and not by a line of the lock, with the hashes and without the addresses."""
    hashes = [digest for place in component["externalReferences"] for digest in place["hashes"]]
    kept = {name: component[name] for name in ("name", "version", "purl", "type")}
    return {**kept, "bom-ref": component["purl"], "hashes": hashes}


if __name__ == "__main__":
    main()
