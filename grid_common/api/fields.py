"""Faults in the fields of a body: the field that was likely meant, and what it takes."""

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from flask import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from grid_common.api.problems import MAX_FAULTS, BadRequest, FieldFault
from grid_common.http.shown import shown, shown_name

_Model = TypeVar("_Model", bound=BaseModel)

# Names that others use for the fields, normalized by `_folded`: charging protocols (OCPP, OCPI, ISO
# 15118), session data sets (ACN-Data) and other simulators. Spelling variants and typos need no
# entry.
_SYNONYMS = {
    "vehicle_id": "car carid carname ev evccid evid evname id idtag licenseplate name "
    "plate vehicle vehiclename vin",
    "kwh": "amount amountkwh chargekwh demand demandkwh energy energyamount energydemand energykwh "
    "energyneeded energyrequest energyrequested energyrequired kwhneeded kwhrequested neededkwh "
    "requestedenergy requestedkwh requiredenergy requiredkwh",
    "max_power_kw": "acmax acmaxpower dcmax dcmaxpower evmaximumpowerlimit evmaxpower evmaxpowerkw "
    "maxchargingpower maxchargepower maximumpower pmax power powerkw powerlimit",
    "battery_kwh": "battery batterycapacity batterycapacitykwh batterysize capacity capacitykwh "
    "energycapacity evenergycapacity totalcapacity usablebattery",
    "soc": "arrivalsoc batterylevel batterypercentage evresssoc initialsoc level percent "
    "socarrival startsoc stateofcharge",
    "session_id": "chargingsessionid session transaction transactionid",
    "vehicles": "amount cars count evs n number vehiclecount",
    "over_s": "duration durations over overseconds seconds",
    "power_limit_kw": "kw limit limitkw maxpower power powerkw powerlimit",
    "for_s": "duration durations for forseconds seconds until",
}
# What a field takes, or a function that returns it for a wrong value.
Takes = str | Callable[[object], str]
# Longer names are not typos, and comparison takes quadratic time.
_LONGEST = 64
_LIKENESS = 0.75


def checked(
    model: type[_Model], document: Any, *, takes: Mapping[str, Takes], example: str
) -> _Model:
    """Validate a parsed body against its model.

    `takes` says what each field takes, and `example` is a valid body, as JSON.

    Raises:
        BadRequest: it is not an object, or a field is wrong; each fault is named with its remedy.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = error.errors()[:MAX_FAULTS]
        raise BadRequest([_fault(item, takes, example) for item in faults]) from None


def _fault(error: ErrorDetails, takes: Mapping[str, Takes], example: str) -> FieldFault:
    value = error["input"]
    if not error["loc"]:
        return FieldFault("body", f"is {shown(value)}; send a JSON object such as {example}")
    field = str(error["loc"][0])
    if field not in takes:
        return unknown_field(field, takes)
    what = takes[field]
    text = what if isinstance(what, str) else what(value)
    if error["type"] == "missing":
        return FieldFault(field, f"is missing; it takes {text}")
    quotes = ", without quotes" if isinstance(value, str) and "number" in text else ""
    return FieldFault(field, f"is {shown(value)}; it takes {text}{quotes}")


def meant(name: str, known: Collection[str]) -> str | None:
    """Return the known field that an unknown name likely means, or None if none is close."""
    if len(name) > _LONGEST:
        return None
    word, own = _folded(name), {_folded(field): field for field in known}
    if word in own:
        return own[word]
    for field in known:
        if word in _SYNONYMS.get(field, "").split():
            return field
    near = get_close_matches(word, own, n=1, cutoff=_LIKENESS)
    return own[near[0]] if near else None


def unknown_field(name: str, known: Collection[str]) -> FieldFault:
    """Describe an unknown field of a body."""
    field = meant(name, known)
    advice = f"did you mean {field}?" if field else "leave it out"
    return FieldFault(shown_name(name), f"is not known; {advice} ({_listed(known)} are taken)")


def refuse_query(request: Request, known: Collection[str]) -> None:
    """Refuse query parameters: to ignore them would do something other than what was asked.

    The parameters belong in a JSON body with the `known` fields.

    Raises:
        BadRequest: the query has parameters; the first ones are named.
    """
    query: str = request.environ.get("QUERY_STRING", "")
    if query:
        parts = query.split("&", MAX_FAULTS)[:MAX_FAULTS]
        raise BadRequest([_in_query(part.partition("=")[0], known) for part in parts])


def _in_query(name: str, known: Collection[str]) -> FieldFault:
    text = unquote_plus(name[: 3 * _LONGEST])
    field = text if text in known else meant(text, known)
    fields = f"the field {field}" if field else f"fields ({_listed(known)} are taken)"
    return FieldFault(
        shown_name(text) or "query",
        "is in the query, which takes no parameters; send a JSON body with "
        f"{fields} and the header 'Content-Type: application/json'",
    )


def _folded(name: str) -> str:
    """Normalize a name: lower case, without underscores and other separators."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _listed(known: Collection[str]) -> str:
    *others, last = known
    return f"{', '.join(others)} and {last}" if others else last
