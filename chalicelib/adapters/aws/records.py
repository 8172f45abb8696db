"""An execution's record as an item of the table: short names, because every write bills the whole item.

    v    version of the record          st   status, a letter          ep   epoch
    rev  count of its writes            bz   busy                      gp gs   due entry (see `addresses`)
    lp ls   listing (see `addresses`)   vh   flow version              tr   trigger
    b bx the rest of its birth          rs   reason of its ending      op   where its output lies
    en   when it ended                  ttl  when the table forgets it, in epoch seconds
    f<n> a fact                         rf<n>   its commit order       i<n>   a pack

Other facts begin with other letters (`engine.facts.FACT_LETTERS`): capital ones, which no name above has. Only a head
has lp, ls, vh, tr, b, bx and gp: any other record's due entry is in no index, its head has one.
"""

import json
from dataclasses import replace
from typing import Any

from chalicelib.adapters.aws.addresses import Item, day_of, list_partition, list_sort
from chalicelib.adapters.aws.values import check_version, number_in, size_of, text, text_in
from chalicelib.adapters.extras import birth_extras, with_birth_extras
from chalicelib.engine.facts import FACT_LETTERS, Done, Fact, from_text, to_text
from chalicelib.engine.records import Birth, Image, Reason, RecordKey, Status
from chalicelib.engine.writes import Put
from chalicelib.errors import StoreError
from chalicelib.ports import Summary

LISTED = ("st", "vh", "tr", "en")
"""What the `list` index carries besides keys: the rest of a `Summary`."""

_ORDERED = "|#"
"""Ends the text of a fact whose commit order stands beside it."""


def birth_attributes(key: RecordKey, birth: Birth) -> Item:
    """What never changes of a head. Its flow and its start stand in the keys of the listing alone."""
    rest = [birth.input_pack, birth.input_hash, birth.deadline, birth.parent, birth.retry_of, int(birth.keyed)]
    attributes: Item = {
        "lp": {"S": list_partition(key.tenant, birth.flow, day_of(birth.started))},
        "ls": {"S": list_sort(birth.started, key.execution)},
        "vh": {"S": birth.version},
        "b": text(json.dumps(rest, ensure_ascii=False, separators=(",", ":"))),
    }
    if birth.trigger:
        attributes["tr"] = {"S": birth.trigger}
    if extras := birth_extras(birth):
        attributes["bx"] = {"S": extras}
    return attributes


def put_text(put: Put) -> str:
    """The text of a fact to be recorded."""
    fact = put.fact
    if put.numbered and isinstance(fact, Done):
        return recorded_text(replace(fact, order=0))[0]
    return to_text(fact)


def recorded_text(fact: Fact) -> tuple[str, int]:
    """The text of a fact as it stands in the record, and its commit order (-1: none)."""
    if isinstance(fact, Done) and fact.order >= 0:
        body, sign, order = to_text(fact).rpartition(_ORDERED[-1])
        return body + sign, int(order)
    return to_text(fact), -1


def order_name(fact_name: str) -> str:
    """The attribute that holds a fact's commit order."""
    return f"r{fact_name}"


def reason_text(reason: Reason) -> dict[str, Any]:
    """The reason as it is recorded."""
    parts = [reason.how.value, reason.step, reason.code, reason.message]
    return text(json.dumps(parts, ensure_ascii=False, separators=(",", ":")))


def image_of(key: RecordKey, item: Item) -> Image:
    """The image in an item; raises StoreError for one that is none of ours, or of a later version."""
    try:
        check_version(item, f"the record of execution {key.execution}")
        return _image(key, item)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"the record of execution {key.execution} is not readable: {error!r:.200}") from error


def _image(key: RecordKey, item: Item) -> Image:
    facts: dict[str, Fact] = {}
    inline: dict[str, str] = {}
    for name, value in item.items():
        if name[:1] in FACT_LETTERS:
            facts[name] = _fact(value["S"], name, item)
        elif name[:1] == "i":
            inline[name] = text_in(value)
    return Image(
        key,
        Status(item["st"]["S"]),
        number_in(item, "ep"),
        number_in(item, "rev"),
        _birth(item) if "vh" in item else None,
        facts,
        inline,
        number_in(item, "bz"),
        number_in(item, "gs") if "gs" in item else None,
        _reason(item["rs"]) if "rs" in item else None,
        item["op"]["S"] if "op" in item else "",
        number_in(item, "en"),
        size_of(item),
    )


def _fact(written: str, name: str, item: Item) -> Fact:
    if written.endswith(_ORDERED):
        return from_text(f"{written}{item[order_name(name)]['N']}")
    return from_text(written)


def _birth(item: Item) -> Birth:
    input_pack, input_hash, deadline, parent, retry_of, keyed = json.loads(text_in(item["b"]))
    started, _ = place_in(item)
    birth = Birth(
        _flow_in(item),
        item["vh"]["S"],
        item["tr"]["S"] if "tr" in item else "",
        started,
        input_pack,
        input_hash,
        deadline,
        parent,
        retry_of,
        keyed=bool(keyed),
    )
    return with_birth_extras(birth, item["bx"]["S"]) if "bx" in item else birth


def _reason(value: dict[str, Any]) -> Reason:
    how, step, code, message = json.loads(text_in(value))
    return Reason(Status(how), step, code, message)


def place_in(item: Item) -> tuple[int, str]:
    """Start and id, out of the keys of the `list` index."""
    started, execution = item["ls"]["S"].split("#")
    return int(started), execution


def _flow_in(item: Item) -> str:
    _, flow, _ = item["lp"]["S"].split("#")
    return flow


def summary_in(item: Item) -> Summary:
    """An execution as the `list` index has it."""
    started, execution = place_in(item)
    return Summary(
        execution,
        _flow_in(item),
        item["vh"]["S"],
        Status(item["st"]["S"]),
        item["tr"]["S"] if "tr" in item else "",
        started,
        number_in(item, "en"),
    )
