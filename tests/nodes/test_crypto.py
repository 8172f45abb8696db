import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.errors import ParameterError
from chalicelib.kit.values import GetFile
from chalicelib.kit.values import Hmac as KeyedHash
from chalicelib.nodes.crypto import Hash, Hmac
from tests.talk import talk

FILE = {"file": "f1", "name": "a.bin", "type": "application/octet-stream", "size": 2}
ALGORITHMS = ["md5", "sha1", "sha256", "sha384", "sha512", "blake2b"]


@given(st.text(max_size=20), st.sampled_from(ALGORITHMS))
def test_the_hash_of_text_is_that_of_its_utf_8_bytes(text: str, algorithm: Any) -> None:
    assert talk(Hash(text=text, algorithm=algorithm)) == ((), hashlib.new(algorithm, text.encode()).hexdigest())


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("hex", "b3d510ef04275ca8e698e5b3cbb0ece3949ef9252f0cdc839e9ee347409a2209"),
        ("base64", "s9UQ7wQnXKjmmOWzy7Ds45Se+SUvDNyDnp7jR0CaIgk="),
        ("base64url", "s9UQ7wQnXKjmmOWzy7Ds45Se-SUvDNyDnp7jR0CaIgk"),
    ],
)
def test_a_file_is_asked_for_and_hashed_in_each_encoding(encoding: Any, written: str) -> None:
    assert talk(Hash(file=FILE, encoding=encoding), b"\xff\xfe") == ((GetFile(FILE),), written)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
def test_a_keyed_hash_is_asked_for_and_never_sees_the_key(algorithm: Any) -> None:
    digest = hmac.digest(b"key", b"\x00", algorithm)
    asked, written = talk(Hmac(file=FILE, algorithm=algorithm, encoding="hex"), b"\x00", digest)
    assert asked == (GetFile(FILE), KeyedHash(algorithm, b"\x00"))
    assert written == digest.hex()
    assert not {"key", "secret"} & set(Hmac.model_fields)


@pytest.mark.parametrize("node", [Hash, Hmac])
@pytest.mark.parametrize("given_values", [{}, {"text": "a", "file": FILE}])
def test_either_text_or_a_file_is_wanted(node: Any, given_values: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="either"):
        talk(node(**given_values))


def test_a_weak_keyed_hash_is_refused() -> None:
    with pytest.raises(ValidationError):
        Hmac.model_validate({"text": "a", "algorithm": "md5"})


@pytest.mark.parametrize("node", [Hash, Hmac])
def test_text_with_a_lone_surrogate_has_no_hash(node: Any) -> None:
    with pytest.raises(ParameterError, match="lone surrogate"):
        talk(node(text="\ud800"))
