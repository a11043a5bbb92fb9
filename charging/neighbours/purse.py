"""Who keeps the users' money, as the settings say (``CHARGING_PAYMENTS``)."""

from charging.neighbours.call import Neighbour
from charging.neighbours.evpass import EvPassWallet
from charging.neighbours.payments import PaymentsService
from charging.payments.port import PaymentsBooks, PaymentsPort
from charging.payments.wallet import Wallet
from charging.settings import Settings
from charging.store.engine import Database
from charging.store.intents import IntentStore


def payments_port(settings: Settings, database: Database) -> PaymentsPort:
    """The adapter of ``PaymentsPort`` that is chosen."""
    return _neighbour(settings, database) or Wallet(database, settings.wallet_opening_balance)


def payments_books(settings: Settings, database: Database) -> PaymentsBooks | None:
    """The same one's books; None for the embedded wallet, whose books are our own ledger."""
    return _neighbour(settings, database)


def _neighbour(settings: Settings, database: Database) -> PaymentsService | EvPassWallet | None:
    patience_s = settings.neighbour_timeout_s
    if settings.payments == "payments":
        payments = Neighbour(PaymentsService.name, str(settings.payments_url), settings.payments_key, patience_s)
        return PaymentsService(payments, IntentStore(database))
    if settings.payments == "evpass":
        return EvPassWallet(Neighbour(EvPassWallet.name, str(settings.evpass_url), settings.evpass_key, patience_s))
    return None
