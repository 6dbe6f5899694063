"""
Personal data in the record: sealed under a random key of each person's own, so that it can be forgotten.

What an entry has to say of somebody (to whom, what was written, what a far side answered) is a `Personal` at the top
level of its detail. `audit.entries` seals it on the way in; the seal over the entry covers the sealed bytes. Once the
person's key is destroyed nobody reads it again, and every proof holds as before.
"""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import urandom
from typing import TYPE_CHECKING, Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connection

if TYPE_CHECKING:
    from audit.entries import Line
    from audit.timeline import Row

ERASED = "(erased)"
"""What stands where something was said of a person who has been erased since."""
NONCE = 12
KEYS = """
with given as (
    select person, decode(key, 'hex') as key
    from unnest(string_to_array(%s::text, ','), string_to_array(%s::text, ',')) as t (person, key)
), made as (
    insert into audit_person_key (person, key) select person, key from given
    on conflict (person) do nothing returning person, key
)
select person, encode(key, 'hex') from made
union all
select k.person, encode(k.key, 'hex') from given join audit_person_key k using (person)
"""
KNOWN = "select person, key from audit_person_key where person = any(%s)"
DESTROY = "delete from audit_person_key where person = %s"


@dataclass(frozen=True, slots=True)
class Personal:
    """One value of an entry's detail that speaks of a person: any JSON, floats too.

    `person` is the keyed hash that stands for them, as bytes or hexadecimal. Where nobody is known (None), the value
    is left out of the record: nobody could ever erase it.
    """

    person: bytes | memoryview | str | None
    value: Any

    @property
    def of(self) -> str:
        """The hash in hexadecimal, "" for nobody."""
        return self.person if isinstance(self.person, str) else bytes(self.person or b"").hex()


def sealed(cur: Any, lines: "Sequence[Line]") -> "Sequence[Line]":
    """
    `lines` with every `Personal` sealed; the very same where there is none.

    One statement in `cur`'s transaction for all of them (another where somebody else made a key at this very moment).
    Keys are made on first use.
    """
    told = [n for n, line in enumerate(lines) if Personal in map(type, line.detail.values())]
    if not told:
        return lines
    people = {value.of for n in told for value in lines[n].detail.values() if type(value) is Personal} - {""}
    boxes = {person: AESGCM(key) for person, key in _keys(cur, people).items()}
    done = list(lines)
    for n in told:
        done[n] = lines[n]._replace(detail=_closed(lines[n].detail, boxes))
    return done


def is_sealed(value: Any) -> bool:
    """Whether a value of an entry's detail is personal data under a key."""
    return isinstance(value, dict) and value.keys() == {"sealed", "of"}


def opened(rows: "Iterable[Row]") -> "list[Row]":
    """
    The rows with their personal data in the clear, "erased" where the person's key is gone.

    One query for all of them, none where nothing is sealed. For showing to somebody who may see the rows; what is
    shown must not be kept.
    """
    rows = list(rows)
    people = {value["of"] for row in rows for value in row.detail.values() if is_sealed(value)}
    if not people:
        return rows
    with connection.cursor() as cursor:
        cursor.execute(KNOWN, [sorted(map(str, people))])
        boxes = {person: AESGCM(bytes(key)) for person, key in cursor.fetchall()}
    return [row._replace(detail={key: _open(value, boxes) for key, value in row.detail.items()}) for row in rows]


def destroy(cursor: Any, person: bytes) -> bool:
    """
    Destroy a person's key: what the record has sealed under it is unreadable from the commit on. False: they have none.

    The database wants an entry about `contact:<hash>` in the same transaction.
    """
    cursor.execute(DESTROY, [person.hex()])
    return bool(cursor.rowcount)


def _keys(cur: Any, people: set[str]) -> dict[str, bytes]:
    """A key for each, made where there was none; in order of the hashes, so that two batches do not lock each other."""
    found: dict[str, bytes] = {}
    while missing := sorted(people - found.keys()):
        fresh = urandom(32 * len(missing)).hex()
        keys = [fresh[n : n + 64] for n in range(0, len(fresh), 64)]
        rows = cur.execute(KEYS, [",".join(missing), ",".join(keys)]).fetchall()
        found |= {person: bytes.fromhex(key) for person, key in rows}
    return found


def _closed(detail: Any, boxes: dict[str, AESGCM]) -> dict[str, Any]:
    out = {}
    for key, value in detail.items():
        if type(value) is not Personal:
            out[key] = value
        elif of := value.of:
            nonce = urandom(NONCE)
            text = nonce + boxes[of].encrypt(nonce, orjson.dumps(value.value), None)
            out[key] = {"sealed": b64encode(text).decode(), "of": of}
    return out


def _open(value: Any, boxes: dict[str, AESGCM]) -> Any:
    if not is_sealed(value):
        return value
    box = boxes.get(str(value["of"]))
    if box is None:
        return ERASED
    try:
        text = b64decode(value["sealed"])
        return orjson.loads(box.decrypt(text[:NONCE], text[NONCE:], None))
    except (InvalidTag, NotBase64, TypeError, ValueError):
        return ERASED
