"""Fingerprints of text and files."""

import base64
import hashlib
from collections.abc import Generator
from typing import Any, Literal, TypeAlias

from chalicelib.errors import ParameterError
from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.fields import FileReference, LongText
from chalicelib.kit.outputs import TEXT
from chalicelib.kit.service import Service
from chalicelib.kit.values import Ask, GetFile
from chalicelib.kit.values import Hmac as KeyedHash

KEYED = Service("Keyed hash", credential="secret", docs="https://www.rfc-editor.org/rfc/rfc2104")
"""No system outside: it says that the step needs a credential, `{"secret": text}`."""

Encoding: TypeAlias = Literal["hex", "base64", "base64url"]

_EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_FILE = {"file": "f1", "name": "a.txt", "type": "text/plain", "size": 3}


class Hash(Action):
    """Compute the hash of a text (as UTF-8) or of a file.

    MD5 and SHA-1 are for services that ask for them; they prove nothing any more.
    """

    effect = "pure"
    output = TEXT
    example = Example(given={"text": "abc"}, returns="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    more_examples = (
        Example(
            given={"text": "abc", "algorithm": "md5", "encoding": "base64"},
            returns="kAFQmDzST7DWlj99KOF/cg==",
            about="As the Content-MD5 header wants it",
        ),
        Example(
            given={"file": _FILE},
            sends=(GetFile(_FILE),),
            receives=(b"",),
            returns=_EMPTY_SHA256,
            about="Of a file",
        ),
    )

    text: LongText | None = None
    """The text; say either this or `file`."""
    file: FileReference | None = None
    """The file."""
    algorithm: Literal["md5", "sha1", "sha256", "sha384", "sha512", "blake2b"] = "sha256"
    """How to compute it."""
    encoding: Encoding = "hex"
    """How to write it: `hex`, `base64`, or `base64url` without padding."""

    def run(self) -> Conversation:
        """The hash as text."""
        content = yield from _content_of(self.text, self.file)
        return _written(hashlib.new(self.algorithm, content, usedforsecurity=False).digest(), self.encoding)


class Hmac(Action):
    """Compute a keyed hash (HMAC, RFC 2104) of a text (as UTF-8) or of a file, as many services sign their requests.

    The key is the `secret` of the step's credential; the flow never sees it.
    """

    service = KEYED
    effect = "pure"
    output = TEXT
    example = Example(
        given={"text": "what do ya want for nothing?"},
        sends=(KeyedHash("sha256", b"what do ya want for nothing?"),),
        receives=(bytes.fromhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),),
        returns="5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        about="RFC 4231, case 2: the secret is Jefe",
    )

    text: LongText | None = None
    """The text; say either this or `file`."""
    file: FileReference | None = None
    """The file."""
    algorithm: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    """The hash it is made of."""
    encoding: Encoding = "hex"
    """How to write it: `hex`, `base64`, or `base64url` without padding."""

    def run(self) -> Conversation:
        """The keyed hash as text."""
        content = yield from _content_of(self.text, self.file)
        digest: bytes = yield KeyedHash(self.algorithm, content)
        return _written(digest, self.encoding)


def _content_of(text: str | None, file: FileReference | None) -> Generator[Ask, Any, bytes]:
    """The bytes to work on; ParameterError unless exactly one of the two is given."""
    if (text is None) is (file is None):
        raise ParameterError("Say either `text` or `file`.")
    if text is not None:
        try:
            return text.encode()
        except UnicodeEncodeError as error:
            raise ParameterError("`text` has a lone surrogate, which no text in Unicode has.") from error
    content: bytes = yield GetFile(file or {})
    return content


def _written(digest: bytes, encoding: Encoding) -> str:
    match encoding:
        case "hex":
            return digest.hex()
        case "base64":
            return base64.b64encode(digest).decode()
        case "base64url":
            return base64.urlsafe_b64encode(digest).decode().rstrip("=")
