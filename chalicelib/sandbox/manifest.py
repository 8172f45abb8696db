"""A plugin's manifest: who it is, what it may be granted, and its nodes in the catalogue's own words."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.errors import FlowTextError
from chalicelib.flow.model import IDENTIFIER
from chalicelib.flow.text import read
from chalicelib.flow.values import Json
from chalicelib.sandbox.errors import PackageRefusedError
from chalicelib.signing.outbound_hosts import is_host_pattern

MOST_BYTES: Final = 200_000
MOST_NODES: Final = 50
MOST_HOSTS: Final = 50
PREFIX: Final = "plugin_"
"""Of a plugin's node types: `plugin_geo.distance`. No service of Penstock's own begins so."""

EFFECTS: Final = ("pure", "read", "idempotent", "at_least_once")
SWITCHES: Final = ("kv", "log", "wasi")
"""What is granted or not; `http` is granted host by host."""

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST_NAME = 30
_VERSION: Final = re.compile(r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}(-[0-9a-z.]{1,40})?")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_KEYS: Final = ("plugin", "version", "abi", "sha256", "summary", "asks", "nodes")
_NODE_KEYS: Final = ("title", "summary", "doc", "effect", "parameters", "output", "example", "more_examples")
_NUMBERS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_SIZES: Final = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
SCHEMA_KEYS: Final = (
    *("type", "description", "default", "enum", "items", "properties", "required", "additionalProperties"),
    *("optional", "widget", *_NUMBERS, *_SIZES),
)
"""No `pattern`: a stranger's would be tried in the server, and its time may grow with the text. No `$ref`."""
MANIFESTS_HINT: Final = "plugin.yaml or plugin.json"
_TYPES: Final = ("string", "number", "integer", "boolean", "array", "object")
_DEEPEST_SCHEMA = 10
_LONGEST_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Asks:
    """What a plugin asks for, or was granted."""

    http: tuple[str, ...] = ()
    kv: bool = False
    log: bool = False
    wasi: bool = False

    @classmethod
    def of(cls, data: Mapping[str, Json]) -> "Asks":
        """From a JSON object, as `to_json` writes it."""
        hosts = data.get("http", [])
        return cls(
            tuple(str(host) for host in hosts) if isinstance(hosts, list) else (),
            *(data.get(name) is True for name in SWITCHES),
        )

    def to_json(self) -> dict[str, Json]:
        """As a JSON object."""
        return {"http": list[Json](self.http), "kv": self.kv, "log": self.log, "wasi": self.wasi}

    def within(self, other: "Asks") -> "Asks":
        """What of this stands in the other too."""
        return Asks(
            tuple(host for host in self.http if host in other.http),
            self.kv and other.kv,
            self.log and other.log,
            self.wasi and other.wasi,
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest in which nothing is wrong."""

    name: str
    version: str
    sha256: str
    """Of the module."""
    summary: str
    asks: Asks
    nodes: Mapping[str, Mapping[str, Json]]

    def to_json(self) -> dict[str, Json]:
        """As it is stored: reading it again gives the same."""
        return {
            "plugin": self.name,
            "version": self.version,
            "abi": 1,
            "sha256": self.sha256,
            "summary": self.summary,
            "asks": self.asks.to_json(),
            "nodes": {name: dict(node) for name, node in self.nodes.items()},
        }

    def entries(self, package: str) -> dict[str, Json]:
        """Its nodes as the catalogue has them, by type; `package` is the hash that pins them."""
        return {
            f"{PREFIX}{self.name}.{node}": {
                "type": f"{PREFIX}{self.name}.{node}",
                "kind": "action",
                "service": self.name,
                "title": said["title"],
                "summary": said["summary"],
                "doc": said.get("doc", ""),
                "effect": said["effect"],
                "ports": ["done"],
                "ports_from": None,
                "credential": None,
                "parameters": said["parameters"],
                "formerly": [],
                "output": said.get("output"),
                "example": said.get("example"),
                "more_examples": said.get("more_examples", []),
                "not_built": {},
                "docs": "",
                "plugin": {"name": self.name, "version": self.version, "hash": package},
            }
            for node, said in self.nodes.items()
        }


def read_manifest(content: bytes, name: str, sha256: str | None = None) -> Manifest:
    """A manifest from a file of this name (`plugin.yaml`, `plugin.json`); PackageRefusedError says what is wrong.

    `sha256` is the module's; where it is given the manifest may leave it out, and must not say another.
    """
    if len(content) > MOST_BYTES:
        raise refused(f"{name} has more than {MOST_BYTES:,} bytes")
    try:
        data = read(content, name).data
    except FlowTextError as error:
        places = "; ".join(f"line {each.line}: {each.what}" for each in error.problems[:5])
        raise refused(f"{name} cannot be read: {places or error.detail}") from error
    except RecursionError as error:
        raise refused(f"{name} is nested too deeply") from error
    data = {**data, "sha256": data.get("sha256", sha256)}
    return _Reading(data).manifest()


def read_stored(content: bytes) -> Manifest:
    """A manifest that was read before and stored as JSON."""
    return _Reading(json.loads(content)).manifest()


def refused(why: str) -> PackageRefusedError:
    """The error that says why a package is none."""
    return PackageRefusedError(f"The plugin is refused: {why}.")


class _Reading:
    """Reads a manifest's parts; the first that is wrong ends it."""

    def __init__(self, data: Mapping[str, Json]) -> None:
        self._data = data

    def manifest(self) -> Manifest:
        data = self._data
        _only(data, _KEYS, "the manifest")
        name = _text(data, "plugin", "the manifest")
        if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
            rule = f"small letters, digits and _, up to {_LONGEST_NAME} characters"
            raise refused(f"`plugin` is a name of {rule}, not {name[:60]!r}")
        version = _text(data, "version", "the manifest")
        if not _VERSION.fullmatch(version):
            raise refused(f"`version` reads 1.2.3, not {version[:60]!r}")
        if data.get("abi") != 1 or isinstance(data.get("abi"), bool):
            raise refused("`abi` is 1: there is no other yet")
        sha256 = data.get("sha256")
        if not isinstance(sha256, str) or not _HASH.fullmatch(sha256):
            raise refused("`sha256` is the SHA-256 of the module, in lower-case hexadecimal")
        asks = self._asks()
        summary = _text(data, "summary", "the manifest")
        return Manifest(name, version, sha256, summary, asks, dict(self._nodes(asks)))

    def _asks(self) -> Asks:
        asked = _object(self._data.get("asks", {}), "`asks`")
        _only(asked, ("http", *SWITCHES), "`asks`")
        hosts = asked.get("http", [])
        if not isinstance(hosts, list) or len(hosts) > MOST_HOSTS:
            raise refused(f"`asks.http` is a list of at most {MOST_HOSTS} hosts")
        for host in hosts:
            if not isinstance(host, str) or not is_host_pattern(host):
                raise refused(
                    f"`asks.http` names hosts such as api.example.com or *.example.com, not {str(host)[:60]!r}"
                )
        for name in SWITCHES:
            if not isinstance(asked.get(name, False), bool):
                raise refused(f"`asks.{name}` is true or false")
        return Asks.of(asked)

    def _nodes(self, asks: Asks) -> Iterator[tuple[str, Mapping[str, Json]]]:
        nodes = _object(self._data.get("nodes"), "`nodes`")
        if not 0 < len(nodes) <= MOST_NODES:
            raise refused(f"a plugin has 1 to {MOST_NODES} nodes")
        for name, given in nodes.items():
            if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
                raise refused(f"a node's name is one of small letters, digits and _, not {name[:60]!r}")
            yield name, _node(_object(given, f"the node `{name}`"), f"`{name}`", asks)


def _node(node: Mapping[str, Json], where: str, asks: Asks) -> Mapping[str, Json]:
    _only(node, _NODE_KEYS, where)
    effect = node.get("effect", "at_least_once")
    if effect not in EFFECTS:
        raise refused(f"{where}: `effect` is one of {', '.join(EFFECTS)}")
    if effect == "pure" and (asks.http or asks.kv):
        raise refused(f"{where}: a plugin that asks for `http` or `kv` has no pure node: say what it does to the world")
    schema = _object(node.get("parameters", {"type": "object", "properties": {}}), f"{where}.parameters")
    _schema(schema, f"{where}.parameters", 0)
    if schema.get("type") != "object":
        raise refused(f"{where}.parameters: its `type` is object")
    for name in _object(schema.get("properties", {}), f"{where}.parameters.properties"):
        if not IDENTIFIER.fullmatch(name):
            raise refused(f"{where}: {name[:60]!r} is no name for a parameter")
    if node.get("output") is not None:
        _schema(_object(node["output"], f"{where}.output"), f"{where}.output", 0)
    examples = node.get("more_examples", [])
    for example in (node.get("example"), *(examples if isinstance(examples, list) else [None])):
        if example is not None:
            _only(_object(example, f"{where}.example"), ("given", "returns", "about"), f"{where}.example")
            _object(_object(example, where).get("given", {}), f"{where}.example.given")
    if "doc" in node:
        _text(node, "doc", where)
    return {
        **node,
        "title": _text(node, "title", where),
        "summary": _text(node, "summary", where),
        "effect": effect,
        "parameters": {"properties": {}, "required": [], **schema, "additionalProperties": False},
    }


def _schema(schema: Mapping[str, Json], where: str, depth: int) -> None:
    """Whether a schema has only words that the check, the forms and the worker know."""
    if depth > _DEEPEST_SCHEMA:
        raise refused(f"{where} is nested too deeply")
    _only(schema, SCHEMA_KEYS, where)
    for word, value in schema.items():
        if (wanted := _wrong(word, value)) is not None:
            raise refused(f"{where}: `{word}` is {wanted}")
    for name, inner in _object(schema.get("properties", {}), f"{where}.properties").items():
        _schema(_object(inner, f"{where}.{name[:60]}"), f"{where}.{name[:60]}", depth + 1)
    for word in ("items", "additionalProperties"):
        if word in schema and not (word == "additionalProperties" and isinstance(schema[word], bool)):
            _schema(_object(schema[word], f"{where}.{word}"), f"{where}.{word}", depth + 1)


def _wrong(word: str, value: Json) -> str | None:
    """What a word of a schema should be, where it is something else."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if word == "type" and value not in _TYPES:
        return f"one of {', '.join(_TYPES)}"
    if word in _NUMBERS and not is_whole and not isinstance(value, float):
        return "a number"
    if word in _SIZES and not is_whole:
        return "a whole number"
    if word in ("description", "widget") and not (isinstance(value, str) and len(value) <= _LONGEST_TEXT):
        return f"a text of up to {_LONGEST_TEXT:,} characters"
    if word in ("enum", "required") and not isinstance(value, list):
        return "a list"
    return "true or false" if word == "optional" and not isinstance(value, bool) else None


def _only(data: Mapping[str, Json], known: tuple[str, ...], where: str) -> None:
    for key in data:
        if key not in known:
            raise refused(f"{where} has no `{key[:60]}`; there are {', '.join(known)}")


def _object(value: Json, where: str) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise refused(f"{where} is a map")
    return value


def _text(data: Mapping[str, Json], key: str, where: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_TEXT or "\0" in value:
        raise refused(f"{where}: `{key}` is a text of up to {_LONGEST_TEXT:,} characters")
    return value
