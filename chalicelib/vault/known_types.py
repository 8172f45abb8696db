"""Every credential type there is, as data: the general ones, and those of single services."""

from typing import Final

from chalicelib.vault.type_words import CredentialType, Field, OAuth2Type, TestRequest

_HOSTS: Final = Field("hosts", "Where it may go, such as `api.example.com, *.example.com`; nowhere else.")
_BASE_URL: Final = Field("base_url", "Where the service is, if not at its usual address: a server of your own.")
_PLACES: Final = (_HOSTS, _BASE_URL)
_PREVIOUS: Final = Field("previous", "The former one, while senders still use it.", is_secret=True)

_CLIENT_ID: Final = Field("client_id", "The client's id, from where you registered it.", is_required=True)
_CLIENT_SECRET: Final = Field("client_secret", "The client's secret; none for a public client.", is_secret=True)
_CLIENT_AUTH: Final = Field(
    "client_auth", "How the client shows its secret: `basic` (RFC 6749, 2.3.1; the default) or `post`."
)
_SCOPE: Final = Field("scope", "What it may do, as the service names it, separated by spaces.")
_TOKENS: Final = (
    Field("token", "The access token; connecting sets it.", is_secret=True),
    Field("refresh_token", "What renews it; connecting sets it.", is_secret=True),
    Field("expires_at", "When the access token expires, in seconds since 1970; connecting sets it."),
)
_TOKEN: Final = tuple(each for each in _TOKENS if each.name != "refresh_token")
_AUTHORIZE_URL: Final = Field("authorize_url", "Where a person is sent to agree.", is_required=True)
_TOKEN_URL: Final = Field("token_url", "Where tokens are asked for.", is_required=True)
_ISSUER: Final = Field("issuer", "The `iss` that the service sends back (RFC 9207), if it does; then it must match.")
_PRIVATE_KEY: Final = Field("private_key", "The private key for RS256, as PEM.", is_secret=True, is_required=True)

_GOOGLE: Final = "https://oauth2.googleapis.com/token"

GENERAL: Final[tuple[CredentialType, ...]] = (
    CredentialType(
        "bearer",
        "Bearer token",
        (Field("token", "The token or API key.", is_secret=True, is_required=True), _PREVIOUS, *_PLACES),
        kind="bearer",
        docs="https://www.rfc-editor.org/rfc/rfc6750",
    ),
    CredentialType(
        "basic",
        "User name and password",
        (
            Field("username", "The user name; some services take a key here.", is_required=True),
            Field("password", "The password, if there is one.", is_secret=True),
            _PREVIOUS,
            *_PLACES,
        ),
        kind="basic",
        docs="https://www.rfc-editor.org/rfc/rfc7617",
    ),
    CredentialType(
        "header",
        "Key in a header",
        (
            Field("name", "The header's name, such as X-Api-Key.", is_required=True),
            Field("value", "Its value.", is_secret=True, is_required=True),
            *_PLACES,
        ),
        kind="header",
        docs="https://www.rfc-editor.org/rfc/rfc9110",
    ),
    CredentialType(
        "query",
        "Key in the address",
        (
            Field("name", "The query parameter's name, such as key.", is_required=True),
            Field("value", "Its value.", is_secret=True, is_required=True),
            *_PLACES,
        ),
        kind="query",
        docs="https://www.rfc-editor.org/rfc/rfc3986",
    ),
    CredentialType(
        "aws",
        "AWS access key",
        (
            Field("access_key_id", "The access key's id.", is_required=True),
            Field("secret_access_key", "The secret access key.", is_secret=True, is_required=True),
            Field("session_token", "The session token of a temporary key.", is_secret=True),
            Field("region", "The region, such as eu-central-1, where the step does not say it."),
            Field("service", "The service to sign for, where neither the node nor the host says it."),
            *_PLACES,
        ),
        hosts=("*.amazonaws.com", "*.amazonaws.com.cn", "*.on.aws"),
        kind="aws",
        test=TestRequest(
            "GET",
            "/?Action=GetCallerIdentity&Version=2011-06-15",
            "https://sts.{region}.amazonaws.com",
            defaults=(("region", "us-east-1"),),
        ),
        docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
    ),
    CredentialType(
        "secret",
        "Webhook secret, or key of a hash",
        (
            Field(
                "secret",
                "The secret that both sides know, or the sender's public key.",
                is_secret=True,
                is_required=True,
            ),
            _PREVIOUS,
            Field("verify_token", "What Meta shows when it asks whether the address is yours.", is_secret=True),
        ),
        kind="secret",
        docs="https://www.rfc-editor.org/rfc/rfc2104",
    ),
    CredentialType(
        "topic",
        "Topic of Amazon SNS",
        (
            Field("topic", "The ARN of the topic whose messages count.", is_required=True),
            Field("previous", "The former one, while its messages still come.", is_secret=True),
        ),
        docs="https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html",
    ),
    CredentialType(
        "paypal_webhook",
        "Webhook of PayPal",
        (Field("webhook_id", "The webhook's id.", is_secret=True, is_required=True), _PREVIOUS),
        docs="https://developer.paypal.com/api/rest/webhooks/rest/",
    ),
    CredentialType(
        "oauth2_authorization_code",
        "OAuth 2.0, a person agrees",
        (
            *(_CLIENT_ID, _CLIENT_SECRET, _AUTHORIZE_URL, _TOKEN_URL, _SCOPE, _CLIENT_AUTH, _ISSUER),
            *(*_TOKENS, *_PLACES),
        ),
        kind="bearer",
        oauth2=OAuth2Type("authorization_code"),
        docs="https://www.rfc-editor.org/rfc/rfc6749#section-4.1",
    ),
    CredentialType(
        "oauth2_client_credentials",
        "OAuth 2.0, the client itself",
        (
            _CLIENT_ID,
            Field("client_secret", "The client's secret.", is_secret=True, is_required=True),
            *(_TOKEN_URL, _SCOPE, _CLIENT_AUTH, *_TOKEN, *_PLACES),
        ),
        kind="bearer",
        oauth2=OAuth2Type("client_credentials"),
        docs="https://www.rfc-editor.org/rfc/rfc6749#section-4.4",
    ),
    CredentialType(
        "oauth2_jwt_bearer",
        "OAuth 2.0, a signed assertion",
        (
            Field("issuer", "Who signs: the client's or the account's id.", is_required=True),
            Field("subject", "Whom it speaks for; the issuer itself without it."),
            Field("audience", "Whom it is meant for; the token address without it."),
            Field("key_id", "The key's id, if the service asks for one."),
            *(_PRIVATE_KEY, _TOKEN_URL, _SCOPE, *_TOKEN, *_PLACES),
        ),
        kind="bearer",
        oauth2=OAuth2Type("jwt_bearer"),
        docs="https://www.rfc-editor.org/rfc/rfc7523#section-2.1",
    ),
    CredentialType(
        "custom",
        "Fields of your own",
        _PLACES,
        takes_any=True,
    ),
)

OF_SERVICES: Final[tuple[CredentialType, ...]] = (
    CredentialType(
        "github",
        "GitHub token",
        (Field("token", "A fine-grained personal access token.", is_secret=True, is_required=True), *_PLACES),
        hosts=("api.github.com", "uploads.github.com"),
        kind="bearer",
        service="GitHub",
        test=TestRequest("GET", "/rate_limit", "https://api.github.com"),
        docs="https://docs.github.com/en/rest/rate-limit/rate-limit",
    ),
    CredentialType(
        "github_oauth",
        "GitHub, a person agrees",
        (_CLIENT_ID, _CLIENT_SECRET, _SCOPE, *_TOKENS, *_PLACES),
        hosts=("api.github.com", "uploads.github.com"),
        kind="bearer",
        service="GitHub",
        test=TestRequest("GET", "/rate_limit", "https://api.github.com"),
        oauth2=OAuth2Type(
            "authorization_code",
            "https://github.com/login/oauth/authorize",
            "https://github.com/login/oauth/access_token",
            client_auth="post",
        ),
        docs="https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps",
    ),
    CredentialType(
        "slack",
        "Slack token",
        (Field("token", "A bot token (xoxb-...).", is_secret=True, is_required=True), *_PLACES),
        hosts=("slack.com", "*.slack.com"),
        kind="bearer",
        service="Slack",
        test=TestRequest("POST", "/auth.test", "https://slack.com/api", must_say="ok"),
        docs="https://docs.slack.dev/reference/methods/auth.test",
    ),
    CredentialType(
        "slack_oauth",
        "Slack, a person agrees",
        (_CLIENT_ID, _CLIENT_SECRET, _SCOPE, *_TOKENS, *_PLACES),
        hosts=("slack.com", "*.slack.com"),
        kind="bearer",
        service="Slack",
        test=TestRequest("POST", "/auth.test", "https://slack.com/api", must_say="ok"),
        oauth2=OAuth2Type(
            "authorization_code",
            "https://slack.com/oauth/v2/authorize",
            "https://slack.com/api/oauth.v2.access",
            client_auth="post",
        ),
        docs="https://docs.slack.dev/authentication/installing-with-oauth",
    ),
    CredentialType(
        "openai",
        "OpenAI key",
        (Field("token", "An API key (sk-...).", is_secret=True, is_required=True), *_PLACES),
        hosts=("api.openai.com",),
        kind="bearer",
        service="OpenAI",
        test=TestRequest("GET", "/models", "https://api.openai.com/v1"),
        docs="https://platform.openai.com/docs/api-reference/authentication",
    ),
    CredentialType(
        "google_oauth",
        "Google, a person agrees",
        (_CLIENT_ID, _CLIENT_SECRET, _SCOPE, *_TOKENS, *_PLACES),
        hosts=("*.googleapis.com",),
        kind="bearer",
        service="Google",
        oauth2=OAuth2Type(
            "authorization_code",
            "https://accounts.google.com/o/oauth2/v2/auth",
            _GOOGLE,
            parameters=(("access_type", "offline"), ("prompt", "consent")),
            client_auth="post",
        ),
        docs="https://developers.google.com/identity/protocols/oauth2/web-server",
    ),
    CredentialType(
        "google_service_account",
        "Google service account",
        (
            Field("key", "The account's key file, the JSON as it was downloaded.", is_secret=True, is_required=True),
            Field("scope", "What it may do, separated by spaces.", is_required=True),
            Field("subject", "The user it acts for, where the domain allows that."),
            *(*_TOKEN, *_PLACES),
        ),
        hosts=("*.googleapis.com",),
        kind="bearer",
        service="Google",
        oauth2=OAuth2Type("jwt_bearer", token_url=_GOOGLE, audience=_GOOGLE),
        docs="https://developers.google.com/identity/protocols/oauth2/service-account#httprest",
    ),
)
