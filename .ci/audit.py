"""Known vulnerabilities of what requirements.lock installs: `make audit`.

Exits 1 where one is known. Where the service that knows cannot be asked, or knows only some of the packages, it says
so; that is a failure too, unless ``--may-be-offline`` (CI: a commit must not wait for somebody else's service).
"""

import json
import subprocess
import sys
from typing import Any

_COMMAND = ("-m", "pip_audit", "--requirement", "requirements.lock", "--require-hashes", "--disable-pip")
_OPTIONS = ("--progress-spinner", "off", "--format", "json", "--timeout", "5")


def main(arguments: list[str]) -> int:
    """The exit code; ``arguments`` as on the command line."""
    run = subprocess.run([sys.executable, *_COMMAND, *_OPTIONS], capture_output=True, text=True, check=False)
    known, unknown = verdicts(run.stdout)
    for words in known:
        print(f"VULNERABLE: {words}")
    if unknown:
        print(f"WARNING: not audited: {unknown}")
    if not known and not unknown:
        print("No known vulnerabilities.")
    return 1 if known or (unknown and "--may-be-offline" not in arguments) else 0


def verdicts(report: str) -> tuple[list[str], str]:
    """What is known to be vulnerable, and what could not be asked about, from pip-audit's JSON."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except ValueError:
        return [], "the vulnerability service did not answer"
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    known = [
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'none'}"
        for package in packages
        for found in package.get("vulns", [])
    ]
    return known, f"{len(skipped)} of {len(packages)} packages, which the service does not know" if skipped else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
