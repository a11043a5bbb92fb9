"""The receiver: stores what CPOs push, in one transaction each or many in one, before it is acknowledged."""

from charging.receiver.pushes import Outcome
from charging.receiver.receiver import Receiver, StoredCdr

__all__ = ["Outcome", "Receiver", "StoredCdr"]
