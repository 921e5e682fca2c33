"""Which columns hold user, item and time: found by their usual names, or given."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass

from seqrec_edu.data.check import BadInput, Report

# Usual names, most usual first; compared without case, blanks, "_" and "-".
_USER = """userid user uid userno reviewerid customerid customer clientid visitorid memberid buyerid studentid idstudent
    learnerid listenerid authorid author accountid profileid session sessionid"""
_ITEM = """itemid item iid itemno movieid parentasin asin productid product videoid trackid songid artistid bookid isbn
    articleid newsid contentid appid gameid stockcode sku idsite businessid venueid locationid poiid courseid problemid
    questionid path filename"""
_TIME = """timestamp unixreviewtime unixtime timems timestampms ts time eventtime createdat datetime date invoicedate
    reviewtime"""
USUAL = {role: tuple(names.split()) for role, names in (("user", _USER), ("item", _ITEM), ("time", _TIME))}


@dataclass(frozen=True)
class Columns:
    """Names of the three columns in the source."""

    user: str
    item: str
    time: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def choose(
    names: list[str], types: dict[str, str], given: dict[str, str | None], source: str, report: Report
) -> Columns:
    """Pick the user, item and time columns among `names`; what was picked by its name is reported.

    Args:
        names: all column names of the source.
        types: RecBole type by name ("token", "float", …); empty for other formats.
        given: role -> name that the caller gave, or None.
    Raises:
        BadInput: for names that occur twice, that are missing, or that serve two roles.
    """
    if len(names) > 1 and all(map(_numeric, names)):
        raise BadInput(
            f"{source}: the first line {_shown(names)} looks like data, not a header. "
            "Put a header line such as user_id, item_id, timestamp on top."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"{source}: column {twice[0]!r} occurs {names.count(twice[0])} times; column names must differ")
    picked = {role: _given(name, role, names, source) for role, name in given.items() if name is not None}
    for role in USUAL:
        if role not in picked:
            found = [name for name in _usual(names, role) if name not in picked.values()]
            picked[role] = found[0] if found else _missing(role, names, picked, source)
            if len(found) > 1:
                report.note(
                    "columns", f"{role} column: {found[0]!r} taken, {found[1:]} not; pass {role}= to choose another"
                )
    if len(set(picked.values())) < 3:
        raise BadInput(f"{source}: user, item and time must be three different columns, got {picked}")
    for role in ("user", "item"):
        if types.get(picked[role], "token") != "token":
            raise BadInput(
                f"{source}: {role} column {picked[role]!r} has type {types[picked[role]]!r}, expected 'token': "
                f"ids are compared, not calculated with"
            )
    return Columns(**picked)


def _key(name: str) -> str:
    return "".join(c for c in name.casefold() if c not in " _-")


def _usual(names: list[str], role: str) -> list[str]:
    by_key = {_key(name): name for name in reversed(names)}
    return [by_key[key] for key in USUAL[role] if key in by_key]


def _given(name: str, role: str, names: list[str], source: str) -> str:
    if name in names:
        return name
    close = difflib.get_close_matches(name, names, n=3)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise BadInput(f"{source}: there is no column {name!r} (given as {role}=); columns are {_shown(names)}.{hint}")


def _missing(role: str, names: list[str], picked: dict[str, str], source: str) -> str:
    taken = [name for name in _usual(names, role) if name in picked.values()]
    if taken:
        raise BadInput(f"{source}: no {role} column is left, {taken[0]!r} is taken already: {picked}; pass {role}=…")
    usual = {"user": "user_id", "item": "item_id", "time": "timestamp"}[role]
    message = (
        f"{source}: no {role} column found among {_shown(names)}. Name it {usual!r}, or pass {role}=…, at the command "
        f"line --data-option {role}=…"
    )
    if role == "time":
        message += ". A history is in the order of its times; without them there is nothing to predict"
    if any(c in name for name in names for c in "\t,;|"):
        message += ". A column name holds another separator: are separators mixed?"
    raise BadInput(message)


def _numeric(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _shown(names: list[str]) -> str:
    return ", ".join(map(repr, names[:20])) + (" …" if len(names) > 20 else "")
