"""Quirks: how this CPO is told to be like one of those in the field, until it is told otherwise.

``POST /admin/quirks {"quirks": ["Q11", "Q21"]}``: these and no others (an empty list: behave again);
``GET /admin/quirks`` shows which are on and all that there are. The numbers are those of the field notes that the
engine is tested against; a letter marks a second way of the same quirk. A fault (see ``faults``) happens so many
times; a quirk is how this CPO is. Where a fault and a quirk, or two quirks, concern the same message, the fault acts,
or the quirk that was named first.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from pydantic import BaseModel

from charging.sandbox.persistence import Journal


class Quirk(StrEnum):
    """A quirk, with what it does (``text``)."""

    text: str

    def __new__(cls, number: str, text: str) -> "Quirk":
        """A number that is a string, as usual for a StrEnum, and its text."""
        quirk = str.__new__(cls, number)
        quirk._value_ = number
        quirk.text = text
        return quirk

    # ---- Starting, and the life of a session ----
    LATE_AFTER_TIMEOUT = "Q1", "START: the result is TIMEOUT; a second later it charges all the same"
    NEVER_STARTS = "Q2", "START: accepted twice, then silence for ever, unless POST /admin/plug brings a car"
    SLOW_START = "Q3", "START: the Session begins 3 s later than usual"
    STUCK_PENDING = "Q4", "the Session stays PENDING"
    FIRST_ACTIVE = "Q5", "PENDING is not pushed: the first push says ACTIVE"
    FIRST_COMPLETED = "Q5b", "the first push says COMPLETED"
    NO_REFERENCE = "Q6", "Session and CDR carry no authorization_reference"
    NEEDS_EVSE = "Q39", "START without evse_uid is answered with REJECTED, not as an unknown location"
    SAME_IDS = "Q41", "session ids are 1, 2, 3 …, as at every other CPO with this quirk"
    MIXED_UP = "Q42", "a command at an EVSE where another still awaits its result: the result goes to the other's URL"
    DRAWS_NOTHING = "Q44", "the Session is ACTIVE, but the car draws nothing: the meter stands still"
    MUTE = "MUTE", "START: accepted, then no result and no push at all; the lists know the Session after 3 s"

    # ---- Calling and being called ----
    RAW_TOKEN = "Q8", "tokens are sent raw, not in Base64"
    ONLY_RAW_TOKEN = "Q8b", "tokens are sent raw, and only raw ones are understood"
    WRONG_TOKEN = "Q9", "the eMSP is called with the token that it calls us with"
    ERRORS_BY_HTTP = "Q32", "OCPI errors come with HTTP 400 or 500 and an envelope; what is missing, with HTTP 200"
    NO_ROUTING = "Q34", "no routing headers, neither in calls nor in answers"
    FOREIGN_HEADER = "Q35", "calls come from another party (NL*HUB) in the routing headers than in URL and body"
    TRAILING_SLASH = "Q36", "module URLs end with a slash and are not found without it"
    LINK_WITHOUT_LIMIT = "Q37", "one object per page, and no limit in Link"
    LINK_TO_ITSELF = "Q37b", "every page names itself as the next"
    NO_PUSHES = "Q45", "no Session, CDR or EVSE status is pushed; the lists know"

    # ---- How objects are written ----
    WHITELIST = "Q7", "auth_method becomes WHITELIST after PENDING, by PATCH too"
    DATETIMES = "Q11", "DateTimes have no Z; last_updated has +00:00"
    OPENING_HOURS = "Q12", "opening hours like 9:00, without twentyfourseven"
    ALL_PERIODS = "Q13", "a PATCH repeats all charging periods"
    PARTIAL_EVSES = "Q14", "an EVSE's status comes as PATCH of the Location with a partial evses[]"
    BUMPED = "Q15", "the lists say last_updated now, of everything"
    VANISHED = "Q16", "EVSE FI*VRT*E12356 is not in the Location any more"
    TWO_LOCATIONS = "Q17", "EVSE 3256 is also at a second Location, LOC0, as REMOVED"
    ALL_EVSES = "Q18", "2.1.1: location in Session and CDR has all EVSEs"
    NO_EVSES = "Q18b", "2.1.1: location in Session and CDR has no EVSE"
    NO_EVSE_ID = "Q19", "EVSEs have no evse_id; in the CDR it is #NA"
    DASHES = "Q20", "evse_id with dashes"
    WATT_HOURS = "Q21", "ENERGY of charging periods in Wh"
    IMPORT_EXPORT = "Q22", "charging periods also say ENERGY_IMPORT, of the whole Session, and ENERGY_EXPORT"
    RUNNING_COST = "Q23", "Session.total_cost is half of what the CDR says"
    NO_COMPONENTS = "Q24", "the CDR has no component costs"
    PRICED_BY_HUB = "Q25", "total_cost is 0 and the CDR's remark begins with [*]"
    NO_CDR_FOR_FREE = "Q26", "a Session that costs nothing has no CDR"
    OTHER_TARIFF = "Q27", "the CDR's tariff is another than the one in the list, and dearer than what was billed"
    CREDIT_AND_CORRECTION = "Q30", "the CDR is followed by a credit CDR and a correcting one"
    CREDIT = "Q30b", "the CDR is followed by a credit CDR"
    UNKNOWN_VALUES = "Q38", "enum values and fields that nobody knows, in Locations, Sessions and CDRs"
    AUTHORIZATION_ID = "Q40", "authorization_id in place of authorization_reference, in commands, Sessions and CDRs"


# The rest of the field notes: nothing of a CPO's that could be switched on.
NO_SWITCH: Final = {
    "Q10": "always: at a PUT of credentials the former token dies at once",
    "Q28": "always: no OCPI CDR has a time zone",
    "Q29": "how to read step_size: a matter of pricing; tariff VRT-DC has one",
    "Q31": "always: the Location header of the answer to a CDR is not read",
    "Q33": "the eMSP's answer to authorize; POST /admin/swipe makes this CPO ask",
    "Q43": "two sandboxes are two CPOs with the same party",
}


class _Active(BaseModel):
    quirks: tuple[Quirk, ...]


class QuirkBook:
    """The quirks that are on, in the order in which they were named; durable."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        known = journal.load("quirks", _Active).get("active")
        self._active = known.quirks if known else ()

    def __contains__(self, quirk: Quirk) -> bool:
        """Whether ``quirk`` is on."""
        return quirk in self._active

    def __iter__(self) -> Iterator[Quirk]:
        """Those that are on."""
        return iter(self._active)

    @property
    def sends_raw_tokens(self) -> bool:
        """Whether eMSPs are called without Base64."""
        return Quirk.RAW_TOKEN in self or Quirk.ONLY_RAW_TOKEN in self

    def replace(self, quirks: list[Quirk]) -> None:
        """These and no others."""
        self._active = tuple(quirks)
        self._journal.put(("quirks", "active", _Active(quirks=self._active)))
