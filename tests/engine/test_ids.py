import hashlib
import json
import re

import pytest

from chalicelib.engine.ids import hashed_id, idempotency_key, ulid


def test_a_ulid_is_written_as_its_specification_says() -> None:
    # 01ARZ3NDEKTSV4RRFFQ69G5FAV, the example of https://github.com/ulid/spec
    value = 0
    for character in "01ARZ3NDEKTSV4RRFFQ69G5FAV":
        value = value * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(character)
    milliseconds, randomness = value >> 80, (value & (1 << 80) - 1).to_bytes(10, "big")
    assert ulid(milliseconds, randomness) == "01arz3ndektsv4rrffq69g5fav"


def test_text_order_is_time_order() -> None:
    moments = [0, 1, 31, 32, 1_700_000_000_000, 1_700_000_000_001, (1 << 48) - 1]
    ids = [ulid(moment, bytes([255 - number] * 10)) for number, moment in enumerate(moments)]
    assert ids == sorted(ids)
    assert all(re.fullmatch("[0-7][0-9a-hjkmnp-tv-z]{25}", each) for each in ids)


@pytest.mark.parametrize(("moment", "randomness"), [(-1, b"0" * 10), (1 << 48, b"0" * 10), (1, b"0" * 9)])
def test_a_ulid_of_other_sizes_is_refused(moment: int, randomness: bytes) -> None:
    with pytest.raises(ValueError, match="48 bits"):
        ulid(moment, randomness)


def test_a_hashed_id_is_128_bits_of_the_hash_of_the_json_array() -> None:
    digest = hashlib.sha256(json.dumps(["main", "a", "\u20ac"], ensure_ascii=False, separators=(",", ":")).encode())
    number = int.from_bytes(digest.digest()[:16], "big")
    made = hashed_id("main", "a", "\u20ac")
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    assert sum(alphabet.index(each) << 5 * place for place, each in enumerate(reversed(made))) == number
    assert len(made) == 26
    assert hashed_id("ma", "ina", "\u20ac") != made
    assert hashed_id("a", "b") != hashed_id('a","b')
    assert hashed_id("\ud800") != hashed_id("\ud801")


def test_an_idempotency_key_names_the_request_and_never_the_attempt() -> None:
    assert idempotency_key("e1", "charge", (), 0) == "e1.charge.0"
    assert idempotency_key("e1", "charge", (3, 0, 12), 1) == "e1.charge.3.0.12.1"
    assert idempotency_key("e1", "charge", (), 0, redrive="r2") == "e1.charge.0.r2"
    keys = {idempotency_key("e", "s", path, ask) for path in ((), (0,), (0, 1), (1,)) for ask in (0, 1)}
    assert len(keys) == 8
