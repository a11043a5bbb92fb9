"""The sandbox's neighbours beside an embedded stack: who keeps the users' money, and what the engine is told of it."""

from base64 import b64encode
from enum import StrEnum
from typing import Any

from charging.bootstrap.directory import DataDirectory
from charging.bootstrap.errors import StackError
from charging.bootstrap.files import read_json, write_json
from charging.bootstrap.keys import DevelopmentSecrets
from charging.bootstrap.ports import HOST, Ports


class Payments(StrEnum):
    """Who keeps the users' money. All but the wallet, which is the engine's own, are neighbours."""

    WALLET = "wallet"
    EVPASS = "evpass"
    PAYMENTS = "payments"


def payments_of(directory: DataDirectory, wanted: Payments | None) -> Payments:
    """The choice of this directory, made at its first start: money that is in one place is not looked for in another.

    Raises ``StackError`` where ``wanted`` is another one.
    """
    kept = read_json(directory.payments_file)
    if kept is None:
        chosen = wanted or Payments.WALLET
        write_json(directory.payments_file, {"payments": chosen})
        return chosen
    chosen = Payments(kept["payments"])
    if wanted not in (None, chosen):
        raise StackError(
            "payments_chosen",
            f"the users of {directory.root} have their money at {chosen}; use a fresh --data for {wanted}",
        )
    return chosen


def neighbours_url(ports: Ports) -> str:
    """Where all neighbours are."""
    return f"http://{HOST}:{ports.neighbours}"


def engine_settings(directory: DataDirectory) -> dict[str, Any]:
    """The engine's settings about its neighbours, by name, as this directory was started."""
    kept = read_json(directory.payments_file)
    if kept is None or kept["payments"] == Payments.WALLET:
        return {"payments": "wallet"}
    ports, secrets = Ports.of(directory.ports_file, auto=False), DevelopmentSecrets.of(directory.secrets_file)
    url, key = neighbours_url(ports), secrets.neighbours_key
    return {
        "payments": kept["payments"],
        **{f"{name}_url": url for name in ("payments", "evpass", "robot_jobs")},
        **{f"{name}_key": key for name in ("payments", "evpass", "robot_jobs")},
        "payments_webhook_secret": webhook_secret(secrets),
    }


def webhook_secret(secrets: DevelopmentSecrets) -> str:
    """The one with which Payments signs: base64, as Standard Webhooks has it."""
    return "whsec_" + b64encode(secrets.neighbours_key.encode()).decode()
