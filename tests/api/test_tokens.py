"""Tokens of an issuer: only those that it signed, for us, with a pinned algorithm, at this time; and what they allow."""

import asyncio
import base64
import json
import warnings
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.api.auth import AdminKeys, Role
from chalicelib.api.gate import OIDC, gate_of
from chalicelib.api.issuer_keys import FRESH_MS, PAUSE_MS, STALE_MS
from chalicelib.api.tokens import ALGORITHMS, TokenKeys, issuer_from
from chalicelib.errors import ForbiddenError, NotSentError, ServiceError, SettingError, UnauthenticatedError
from chalicelib.ports import HttpAnswer
from tests.api.house import NOW, Clock, House, Http

ISSUER = "https://id.example/realms/us"
DESCRIBED = f"{ISSUER}/.well-known/openid-configuration"
KEYS_AT = "https://id.example/realms/us/keys"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SMALL_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
CURVE = ec.generate_private_key(ec.SECP256R1())
OTHER_CURVE = ec.generate_private_key(ec.SECP384R1())
NOW_SECONDS = int(NOW.timestamp())
SETTING = {
    "issuer": ISSUER,
    "audience": "penstock",
    "claim": ["realm_access", "roles"],
    "roles": {"ops": "operator", "boss": "admin", "look": "viewer"},
    "algorithms": ["RS256", "PS256", "ES256"],
}


def jwk(private, name, **more):
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(private, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**json.loads(algorithm.to_jwk(private.public_key())), "kid": name, **more}


PUBLISHED = [
    jwk(RSA, "r", use="sig", alg="RS256"),
    jwk(RSA, "any"),
    jwk(CURVE, "e"),
    jwk(SMALL_RSA, "small"),
    jwk(OTHER_CURVE, "wide"),
    jwk(OTHER_RSA, "enc", use="enc"),
    {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "oct"},
    {"kty": "RSA", "n": "!", "e": "AQAB", "kid": "broken"},
    {"kty": "RSA"},
    "no key",
]
CLAIMS = {
    "iss": ISSUER,
    "aud": "penstock",
    "sub": "ann@example.com",
    "exp": NOW_SECONDS + 300,
    "iat": NOW_SECONDS,
    "realm_access": {"roles": ["ops"]},
}


class World:
    def __init__(self, **setting):
        self.clock, self.http = Clock(), Http()
        self.publish(PUBLISHED)
        self.keys = TokenKeys(issuer_from(json.dumps({**SETTING, **setting})), self.http, self.clock)

    def publish(self, keys, **described):
        self.http.answers[DESCRIBED] = answer({"issuer": ISSUER, "jwks_uri": KEYS_AT, **described})
        self.http.answers[KEYS_AT] = answer({"keys": keys})

    def caller(self, token):
        return asyncio.run(self.keys.caller(token))

    def fetches(self):
        return len([request for request in self.http.sent if request.url == DESCRIBED])


def answer(value, status=200):
    return HttpAnswer(status, (), json.dumps(value).encode())


def token(private=RSA, algorithm="RS256", name="r", header=None, **claims):
    said = {key: value for key, value in {**CLAIMS, **claims}.items() if value is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a key that is too short is among what is tried
        return jwt.encode(said, private, algorithm, {"kid": name, **(header or {})})


def parts(*values):
    return ".".join(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in values)


def test_a_token_of_the_issuer_is_its_subject_with_the_role_it_names():
    caller = World().caller(token())
    assert (caller.id, caller.role, caller.tenant, caller.grants, caller.is_owner) == (
        *("user_ann@example.com", Role.OPERATOR, "main", ()),
        False,
    )


@pytest.mark.parametrize(
    ("private", "algorithm", "name"), [(RSA, "RS256", "any"), (RSA, "PS256", "any"), (CURVE, "ES256", "e")]
)
def test_each_pinned_algorithm_is_verified(private, algorithm, name):
    world = World()
    assert world.caller(token(private, algorithm, name))
    with pytest.raises(UnauthenticatedError):
        World(algorithms=["RS384"]).caller(token(private, algorithm, name))


def test_no_algorithm_without_a_private_key_can_be_pinned():
    assert not [each for each in ALGORITHMS if each.startswith("HS") or each == "none"]
    for algorithm in ("none", "HS256", "HS512", "dir", "EdDSA", ""):
        with pytest.raises(SettingError):
            World(algorithms=[algorithm])


PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def hmac_signed(secret, name):
    """A token signed with a public key as if that were a secret: what algorithm confusion sends."""
    import hashlib
    import hmac

    head = parts(json.dumps({"alg": "HS256", "kid": name}).encode(), json.dumps(CLAIMS).encode())
    return f"{head}.{parts(hmac.new(secret, head.encode(), hashlib.sha256).digest())}"


def flipped(text):
    """A token whose signature has one bit changed."""
    head, _, signature = text.rpartition(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[10] ^= 1
    return f"{head}.{parts(bytes(raw))}"


def with_claims(text, **claims):
    """A token's signature under other claims."""
    head, _, signature = text.split(".")
    return f"{head}.{parts(json.dumps({**CLAIMS, **claims}).encode())}.{signature}"


@pytest.mark.parametrize(
    "forged",
    [
        parts(b'{"alg":"none","kid":"r"}', json.dumps(CLAIMS).encode()) + ".AA",
        parts(b'{"alg":"None","kid":"r"}', json.dumps(CLAIMS).encode()) + ".AA",
        parts(b'{"alg":["RS256"],"kid":"r"}', json.dumps(CLAIMS).encode()) + ".AA",
        parts(b'{"kid":"r"}', json.dumps(CLAIMS).encode()) + ".AA",
        parts(b"[1]", b"{}") + ".AA",
        parts(b"not json", b"{}") + ".AA",
        hmac_signed(PEM, "r"),
        hmac_signed(b"secret-secret-secret-secret-secret", "oct"),
        flipped(token()),
        with_claims(token(), sub="boss"),
        token(OTHER_RSA),
        token(name="unknown"),
        token(name=""),
        token(name="e"),
        token(CURVE, "ES256", "r"),
        token(RSA, "PS256", "r"),
        token(OTHER_RSA, "RS256", "enc"),
        token(SMALL_RSA, "RS256", "small"),
        token(RSA, "RS256", "broken"),
        token(RSA, "RS256", "oct"),
        token(header={"crit": ["exp"]}),
        token(iss="https://id.example/realms/them"),
        token(iss=ISSUER + "/"),
        token(iss=None),
        token(aud="another"),
        token(aud=[]),
        token(aud=None),
        token(sub=None),
        token(exp=None),
        token(exp=NOW_SECONDS - 60),
        token(exp="tomorrow"),
        token(exp=True),
        token(exp=float("nan")),
        token(exp=float("inf")),
        token(nbf=NOW_SECONDS + 61),
        token(iat=NOW_SECONDS + 61),
    ],
)
def test_a_token_with_anything_wrong_opens_nothing(forged):
    with pytest.raises(UnauthenticatedError):
        World().caller(forged)


def test_clocks_may_differ_by_so_much_and_no_more():
    assert World().caller(token(exp=NOW_SECONDS - 59, nbf=NOW_SECONDS + 60, iat=NOW_SECONDS + 60))
    for wrong in ({"exp": NOW_SECONDS}, {"nbf": NOW_SECONDS + 1}):
        with pytest.raises(UnauthenticatedError):
            World(leeway=0).caller(token(**wrong))


def test_what_is_no_token_is_nobodys_and_asks_no_issuer():
    world = World()
    for text in ("", "a", "a.b", "a.b.c.d", "a.b.c.d.e", "a.ü.c", "..", "penstock_main.aaaaaaaaaaaa.x y"):
        assert world.caller(text) is None
    assert world.http.sent == []


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        (["look", "boss", "ops"], Role.ADMIN),
        (["look", "nobody"], Role.VIEWER),
        ("look ops", Role.OPERATOR),
        ("boss", Role.ADMIN),
    ],
)
def test_the_highest_role_that_a_token_names_is_its_role(roles, role):
    assert World().caller(token(realm_access={"roles": roles})).role == role


@pytest.mark.parametrize("roles", [[], ["nobody"], None, 7, {"boss": True}, ["Boss"], [["boss"]]])
def test_a_token_that_names_no_role_may_do_nothing(roles):
    with pytest.raises(ForbiddenError):
        World().caller(token(realm_access={"roles": roles}))


def test_the_tenant_is_the_settings_or_that_of_a_claim():
    assert World(tenant="team_a").caller(token(tenant="team_b")).tenant == "team_a"
    world = World(tenant_claim="tenant")
    assert world.caller(token(tenant="team_b")).tenant == "team_b"
    for wrong in (None, "", "Team", "a#b", ["team_b"]):
        with pytest.raises(ForbiddenError):
            world.caller(token(tenant=wrong))


def test_an_aws_principal_is_known_by_its_arn():
    """As the issuer of an AWS account signs them (STS, GetWebIdentityToken): RS256 or ES384, the ARN as subject."""
    arn = "arn:aws:iam::123456789012:role/ci/deployer"
    setting = {"claim": "sub", "roles": {arn: "editor"}, "algorithms": ["ES384"]}
    caller = World(**setting).caller(token(OTHER_CURVE, "ES384", "wide", sub=arn))
    assert (caller.id, caller.role) == (f"user_{arn}", Role.EDITOR)
    with pytest.raises(ForbiddenError):
        World(**setting).caller(token(OTHER_CURVE, "ES384", "wide", sub=arn + "2"))


def test_a_subject_that_is_no_plain_name_is_known_by_its_hash():
    for subject in ("a b", "a\nb", "x" * 121, "ü", ""):
        found = World().caller(token(sub=subject)).id
        assert found.startswith("user_")
        assert len(found) == len("user_") + 16


def test_keys_are_fetched_once_and_anew_after_an_hour():
    world = World()
    for _ in range(5):
        assert world.caller(token())
    assert world.fetches() == 1
    world.clock.moment += timedelta(milliseconds=FRESH_MS)
    assert world.caller(token(exp=NOW_SECONDS + 9_000))
    assert world.fetches() == 2


def test_a_new_key_counts_a_minute_later_at_most_and_made_up_names_cost_one_fetch_a_minute():
    world = World()
    assert world.caller(token())
    world.publish([*PUBLISHED, jwk(OTHER_RSA, "next")])
    for number in range(50):
        with pytest.raises(UnauthenticatedError):
            world.caller(token(name=f"made-up-{number}"))
    assert world.fetches() == 1
    world.clock.moment += timedelta(milliseconds=PAUSE_MS)
    assert world.caller(token(OTHER_RSA, "RS256", "next"))
    assert world.fetches() == 2


def test_a_key_that_was_withdrawn_counts_no_more_once_they_were_fetched_anew():
    world = World()
    assert world.caller(token())
    world.publish([jwk(OTHER_RSA, "next")])
    world.clock.moment += timedelta(milliseconds=FRESH_MS)
    with pytest.raises(UnauthenticatedError):
        world.caller(token(exp=NOW_SECONDS + 9_000))


def test_known_keys_go_on_counting_for_a_day_while_the_issuer_is_away():
    world = World()
    assert world.caller(token())
    world.http.answers[DESCRIBED] = NotSentError("nobody answers")
    late = token(exp=NOW_SECONDS + 200_000)
    world.clock.moment = NOW + timedelta(milliseconds=STALE_MS - 1)
    assert world.caller(late)
    world.clock.moment = NOW + timedelta(milliseconds=STALE_MS + PAUSE_MS)
    with pytest.raises(ServiceError):
        world.caller(late)


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://id.example/realms/them"},
        {"jwks_uri": "https://elsewhere.example/keys"},
        {"jwks_uri": "http://id.example/realms/us/keys"},
        {"jwks_uri": "https://id.example:8443/realms/us/keys"},
        {"jwks_uri": "https://id.example@elsewhere.example/keys"},
        {"jwks_uri": "https://["},
        {"jwks_uri": None},
    ],
)
def test_keys_come_from_the_issuers_own_host_and_no_other(described):
    world = World()
    world.publish(PUBLISHED, **described)
    elsewhere = described.get("jwks_uri")
    if elsewhere:
        world.http.answers[elsewhere] = answer({"keys": PUBLISHED})
    with pytest.raises(ServiceError):
        world.caller(token())
    assert [request.url for request in world.http.sent] == [DESCRIBED]


@pytest.mark.parametrize("body", [b"", b"[]", b"no json", b"[" * 100_000, b'{"keys": 7}', b'{"keys": []}'])
def test_an_issuer_that_talks_nonsense_lets_nobody_in(body):
    world = World()
    for address in (DESCRIBED, KEYS_AT):
        good = world.http.answers[address]
        world.http.answers[address] = HttpAnswer(200, (), body)
        with pytest.raises((ServiceError, UnauthenticatedError)):
            World.caller(world, token())
        world.http.answers[address] = good
        world.clock.moment += timedelta(milliseconds=PAUSE_MS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://id.example"},
        {"issuer": "https://ann:pw@id.example"},
        {"issuer": "https://id.example?x"},
        {"issuer": "https://["},
        {"issuer": None},
        {"audience": None},
        {"audience": []},
        {"claim": ""},
        {"roles": {}},
        {"roles": {"ops": "owner"}},
        {"roles": ["ops"]},
        {"algorithms": []},
        {"leeway": 301},
        {"leeway": True},
        {"tenant": "Main"},
        {"rolls": {}},
        {"url": "https://id.example"},
    ],
)
def test_a_setting_that_leaves_something_open_is_refused(wrong):
    with pytest.raises(SettingError, match="PENSTOCK_OIDC"):
        issuer_from(json.dumps({**SETTING, **wrong}))
    for text in ("", "{", "[]", "7"):
        with pytest.raises(SettingError, match="PENSTOCK_OIDC"):
            issuer_from(text)


def test_the_setting_that_the_documentation_shows_is_one():
    page = (Path(__file__).parents[2] / "docs" / "access.md").read_text("utf-8")
    shown = page.partition("export PENSTOCK_OIDC='")[2].partition("'")[0]
    assert issuer_from(shown).claim == ("realm_access", "roles")


def test_the_gate_takes_a_token_where_an_issuer_is_set_and_none_where_it_is_not():
    world, house = World(), House()
    for environment, expected in ((({OIDC: json.dumps(SETTING)}), "user_ann@example.com"), ({}, None)):
        gate = gate_of(AdminKeys([]), house.documents, environment, world.http, world.clock)
        caller = asyncio.run(gate.caller(token()))
        assert (caller.id if caller else None) == expected
        if caller:
            assert gate.used(caller) is None
