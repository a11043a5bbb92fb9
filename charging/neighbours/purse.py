"""Who keeps the users' money, as the settings say (``CHARGING_PAYMENTS``)."""

from charging.neighbours.call import Neighbour
from charging.neighbours.evpass import EvPassWallet
from charging.neighbours.payments import PaymentsService
from charging.payments.port import PaymentsPort
from charging.payments.wallet import Wallet
from charging.settings import Settings
from charging.store.engine import Database
from charging.store.intents import IntentStore


def payments_port(settings: Settings, database: Database) -> PaymentsPort:
    """The adapter of ``PaymentsPort`` that is chosen."""
    if settings.payments == "payments":
        payments = Neighbour(
            "Payments", str(settings.payments_url), settings.payments_key, settings.neighbour_timeout_s
        )
        return PaymentsService(payments, IntentStore(database))
    if settings.payments == "evpass":
        evpass = Neighbour("EV Pass", str(settings.evpass_url), settings.evpass_key, settings.neighbour_timeout_s)
        return EvPassWallet(evpass)
    return Wallet(database, settings.wallet_opening_balance)
