"""Sealed values: the published vectors, every bit, every place, and keys that a text was not made for."""

import json
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from chalicelib.vault import sealing
from chalicelib.vault.errors import SealBrokenError
from chalicelib.vault.keys import Wrapped
from chalicelib.vault.sealing import Context, decrypt, encrypt, open_sealed, seal, with_wrapped, wrapped_of

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "aes-gcm.json").read_text("utf-8"))
CASES = [(name, *(None if each is None else bytes.fromhex(each) for each in rest)) for name, *rest in VECTORS["cases"]]
VALID = [case for case in CASES if case[4] is not None]
REFUSED = [case for case in CASES if case[4] is None]

HERE = Context("main", "crm", 3)
FIELDS = {"token": "sk-live-0123456789", "hosts": "api.example.com", "odd": "ü\ud800\n"}
KEY, NONCE = bytes(range(32)), bytes(range(12))
WRAPPED = Wrapped("master-1", b"a data key, wrapped")


def sealed(context=HERE, fields=FIELDS, key=KEY):
    return seal(fields, context, data_key=key, nonce=NONCE, wrapped=WRAPPED)


def opens(value, context=HERE, key=KEY):
    try:
        return open_sealed(value, context, key)
    except SealBrokenError:
        return None


def test_the_published_cases_are_all_there():
    assert (len(VALID), len(REFUSED)) == (598, 218)
    assert (
        {name.split()[0] for name, *_ in VALID} == {name.split()[0] for name, *_ in REFUSED} == {"nist", "wycheproof"}
    )


def test_every_published_case_encrypts_and_decrypts_to_the_published_bytes():
    for name, key, nonce, bound, plain, ciphertext, tag in VALID:
        assert encrypt(key, nonce, plain, bound) == ciphertext + tag, name
        assert decrypt(key, nonce, ciphertext + tag, bound) == plain, name


def test_every_published_case_that_is_to_be_refused_is_refused():
    for name, key, nonce, bound, _, ciphertext, tag in REFUSED:
        assert name
        with pytest.raises(SealBrokenError):
            decrypt(key, nonce, ciphertext + tag, bound)


def test_what_was_sealed_opens_at_its_place_and_says_nothing_of_itself():
    value = sealed()
    assert open_sealed(value, HERE, KEY) == FIELDS
    assert json.loads(json.dumps(value)) == value
    text = json.dumps(value) + "".join(
        b64decode(value[part]).decode("latin-1") for part in ("nonce", "commitment", "ciphertext")
    )
    assert not any(secret in text for secret in ("sk-live", "example", KEY.hex(), "token"))


def test_every_flipped_bit_of_a_sealed_value_is_refused():
    value, tried = sealed(), 0
    for part in ("nonce", "commitment", "ciphertext"):
        content = b64decode(value[part])
        for bit in range(len(content) * 8):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            assert opens({**value, part: b64encode(flipped).decode()}) is None, (part, bit)
            tried += 1
    for version in (0, 2, 3, 5, 9, 17, 33, 65, 129, "1", 1.5, True, None):
        assert opens({**value, "v": version}) is None
    assert tried == (12 + 32 + len(b64decode(value["ciphertext"]))) * 8 > 1000


def test_every_flipped_bit_of_the_texts_that_carry_it_is_refused():
    """Base64 has texts of the same bytes that differ in letters: one spelling counts."""
    value = sealed()
    for part in ("nonce", "commitment", "ciphertext"):
        text = value[part]
        for bit in range(len(text) * 8):
            letter = chr(ord(text[bit // 8]) ^ 1 << bit % 8)
            assert opens({**value, part: text[: bit // 8] + letter + text[bit // 8 + 1 :]}) is None, (part, bit)


@pytest.mark.parametrize("place", [Context("other", "crm", 3), Context("main", "shop", 3), Context("main", "crm", 4)])
def test_a_value_moved_to_another_tenant_credential_or_version_is_refused(place):
    assert opens(sealed()) == FIELDS
    assert opens(sealed(), place) is None


def test_no_two_places_have_the_same_encoding():
    odd = ["a", "b", 'a"', '","', "a,b", "", "ab", "\\", "é", "a\x00b"]
    places = [Context(tenant, name, version) for tenant in odd for name in odd for version in (1, 11, 111)]
    assert len({place.to_bytes() for place in places}) == len(places)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        [],
        {},
        {**sealed(), "more": 1},
        {name: part for name, part in sealed().items() if name != "nonce"},
        {**sealed(), "nonce": None},
        {**sealed(), "nonce": "AAAA"},
        {**sealed(), "ciphertext": ""},
        {**sealed(), "ciphertext": "é"},
    ],
)
def test_what_is_no_sealed_value_is_refused_by_name(value):
    assert opens(value) is None
    if not isinstance(value, dict) or value.keys() != sealed().keys():
        with pytest.raises(SealBrokenError):
            wrapped_of(value)


def test_another_wrapping_of_the_data_key_changes_nothing_else():
    again = with_wrapped(sealed(), Wrapped("master-2", b"other"))
    assert wrapped_of(again) == Wrapped("master-2", b"other")
    assert open_sealed(again, HERE, KEY) == FIELDS


def test_keys_of_other_sizes_are_not_used():
    for key, nonce in ((KEY[:16], NONCE), (KEY, NONCE + b"x"), (b"", NONCE)):
        with pytest.raises(ValueError, match="32 bytes"):
            seal(FIELDS, HERE, data_key=key, nonce=nonce, wrapped=WRAPPED)
    assert opens(sealed(), key=KEY[:16]) is None


def test_the_error_says_no_more_than_that_it_is_broken():
    with pytest.raises(SealBrokenError) as caught:
        open_sealed(sealed(), Context("main", "crm", 4), KEY)
    assert str(caught.value) == SealBrokenError.__doc__
    assert caught.value.__cause__ is None


def test_a_text_that_opens_under_two_keys_is_refused_under_the_one_it_was_not_sealed_with():
    """AES-GCM alone takes it under both: it is built here, and shown to be taken."""
    other = bytes(reversed(KEY))
    (first, committed), (second, committed_too) = (sealing._derived(key, NONCE, HERE) for key in (KEY, other))
    crafted = salamander(first, second, NONCE, HERE.to_bytes())
    assert decrypt(first, NONCE, crafted, HERE.to_bytes()) != decrypt(second, NONCE, crafted, HERE.to_bytes())

    value = {**sealed(), "ciphertext": b64encode(crafted).decode(), "commitment": b64encode(committed).decode()}
    # Under its own key it is decrypted, and holds no fields; under the other it does not get so far.
    assert "decrypt" in functions_called_in_opening(value, KEY)
    assert "decrypt" not in functions_called_in_opening(value, other)
    assert committed != committed_too


def functions_called_in_opening(value, key):
    called = set()
    sys.setprofile(lambda frame, event, _: called.add(frame.f_code.co_name) if event == "call" else None)
    try:
        assert opens(value, key=key) is None
    finally:
        sys.setprofile(None)
    assert "open_sealed" in called
    return called


def salamander(first, second, nonce, bound):
    """A ciphertext of two blocks with a tag that AES-GCM takes under both keys (NIST SP 800-38D, sections 6.3, 6.4)."""
    padded = bound + bytes(-len(bound) % 16)
    lengths = (len(bound) * 8 << 64) | 32 * 8

    def block(key, content):
        cipher = Cipher(AES(key), ECB()).encryptor()
        return int.from_bytes(cipher.update(content) + cipher.finalize(), "big")

    def hashed(key, chosen):
        """GHASH and the mask, for the second block of ciphertext."""
        subkey, total = block(key, bytes(16)), 0
        blocks = [int.from_bytes(padded[at : at + 16], "big") for at in range(0, len(padded), 16)]
        for each in (*blocks, 0x1234, chosen, lengths):
            total = times(total ^ each, subkey)
        return total ^ block(key, nonce + b"\0\0\0\1"), times(subkey, subkey)

    (tag_1, square_1), (tag_2, square_2) = hashed(first, 0), hashed(second, 0)
    chosen = times(tag_1 ^ tag_2, inverse(square_1 ^ square_2))
    tag, _ = hashed(first, chosen)
    return b"".join(each.to_bytes(16, "big") for each in (0x1234, chosen, tag))


def times(one, other):
    """Multiplication in GF(2^128) as GCM writes it: the leftmost bit is the coefficient of 1."""
    product = 0
    for bit in range(127, -1, -1):
        if other >> bit & 1:
            product ^= one
        one = one >> 1 ^ (0xE1 << 120 if one & 1 else 0)
    return product


def inverse(one):
    """one ** (2 ** 128 - 2)."""
    result, power = 1 << 127, one
    for _ in range(127):
        power = times(power, power)
        result = times(result, power)
    return result


@pytest.mark.parametrize("wrapped", [None, "text", {"key": "x"}, {"key": 1, "blob": ""}, {"key": "x", "blob": "?"}])
def test_what_is_no_wrapped_key_is_refused_by_name(wrapped):
    with pytest.raises(SealBrokenError):
        wrapped_of({**sealed(), "wrapped": wrapped})
