"""The words in which a type of credential is written down.

These are named tuples, as in `signing.inbound_scheme`: they are defined on cold starts.
"""

from typing import Literal, NamedTuple

Grant = Literal["authorization_code", "client_credentials", "jwt_bearer"]


class Field(NamedTuple):
    """One field of a credential; all are texts.

    Attributes:
        name: as it is stored and opened.
        help: one sentence for whoever types it in.
        is_secret: it is typed in unseen, and masked wherever it turns up. What is not secret may be shown.
        is_required: nothing works without it.
    """

    name: str
    help: str
    is_secret: bool = False
    is_required: bool = False


class TestRequest(NamedTuple):
    """A request that does nothing and shows whether a credential works.

    Attributes:
        method: such as GET.
        path: what follows the credential's `base_url`, or else `base_url`.
        base_url: where the service is; `{region}` and its like stand for fields of the credential.
        statuses: those of an answer that means yes.
        must_say: a field of the answer's JSON that must be true as well; empty for none.
        defaults: for the fields that `base_url` names and the credential does not have.
    """

    __test__ = False  # its name is no order to pytest

    method: str
    path: str
    base_url: str
    statuses: tuple[int, ...] = (200,)
    must_say: str = ""
    defaults: tuple[tuple[str, str], ...] = ()


class OAuth2Type(NamedTuple):
    """How tokens are got and renewed. What is empty here is a field of the credential's own.

    Attributes:
        grant: which of the ways of RFC 6749 and RFC 7523.
        authorize_url: where a person is sent (RFC 6749, section 3.1).
        token_url: where tokens are asked for (section 3.2).
        issuer: what the callback's `iss` must be (RFC 9207); empty where the service sends none.
        parameters: more of them for the authorization request.
        audience: of a signed assertion (RFC 7523, section 3).
        client_auth: how the client shows its secret where the credential does not say: `basic` or `post`.
    """

    grant: Grant
    authorize_url: str = ""
    token_url: str = ""
    issuer: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    audience: str = ""
    client_auth: str = "basic"


class CredentialType(NamedTuple):
    """One type.

    Attributes:
        name: what a stored credential names its type by.
        label: for people.
        fields: in the order in which they are asked for.
        hosts: where it may go, as `signing.outbound` reads them; empty: wherever its field `hosts` says, else anywhere.
        kind: how it signs: a kind of `signing.outbound`, or `secret` for what keys a hash or checks deliveries.
        service: the only service it is for; empty: every one of its kind.
        test: a request that shows whether it works; None: there is none that fits everybody.
        oauth2: how its token is got; None: it is typed in.
        takes_any: fields beyond those named are taken too, as secrets.
        docs: where the service describes it.
    """

    name: str
    label: str
    fields: tuple[Field, ...]
    hosts: tuple[str, ...] = ()
    kind: str = "none"
    service: str = ""
    test: TestRequest | None = None
    oauth2: OAuth2Type | None = None
    takes_any: bool = False
    docs: str = ""
