"""What the environment holds: credentials, and this stage's values of `vars`.

`PENSTOCK_CREDENTIAL_<NAME>` is a JSON object of texts; nothing of it is stored. `PENSTOCK_VARS` is a JSON object of
values by the names that flows declare under `vars`; they become part of every version that is published.
"""

import json
from collections.abc import Mapping
from typing import cast

from chalicelib.errors import CredentialMissingError, CredentialUnfitError, SettingError
from chalicelib.flow.values import Json

PREFIX = "PENSTOCK_CREDENTIAL_"
OWN_TENANT = "main"
"""Whoever deploys: `api.auth` calls it so."""


class EnvironmentCredentials:
    """Fulfils `ports.Credentials` for what is not in the vault."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    async def open(self, tenant: str, name: str, *, flow: str = "") -> Mapping[str, str]:
        """The fields of the credential; the environment is the tenant `main`'s and no other's, and all its flows'."""
        del flow
        if tenant != OWN_TENANT:
            raise CredentialMissingError(f"The tenant {tenant} has no credential `{name}`.")
        return self.read(name)

    def read(self, name: str) -> Mapping[str, str]:
        """The same at once, for whoever only looks whether it is fit; raises as `open` does."""
        variable = PREFIX + name.upper()
        text = self._environment.get(variable)
        if text is None:
            raise CredentialMissingError(
                f"No credential `{name}`. Store it with `penstock credentials set {name}`, or set {variable} to a JSON "
                'object such as {"token": "..."}.'
            )
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            # Not chained: the parser's message quotes the text, and the text is a secret.
            raise CredentialUnfitError(f"{variable} is not JSON. Write an object of texts.") from None
        if not isinstance(fields, dict) or not all(
            isinstance(value, str) for value in cast("dict[str, object]", fields).values()
        ):
            raise CredentialUnfitError(f"{variable} is not an object of texts. Put every value in quotes.")
        return cast("dict[str, str]", fields)

    def names(self, tenant: str = OWN_TENANT) -> list[str]:
        """The credentials there are for a tenant, by name, never their values."""
        if tenant != OWN_TENANT:
            return []
        return sorted(key.removeprefix(PREFIX).lower() for key in self._environment if key.startswith(PREFIX))


def stage_vars_from(environment: Mapping[str, str]) -> Mapping[str, Json]:
    """This stage's values of `vars`; raises SettingError where they are no JSON object."""
    text = environment.get("PENSTOCK_VARS", "")
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingError(
            f'PENSTOCK_VARS is not JSON: {error}. Write an object, such as {{"bucket": "b"}}.'
        ) from error
    if not isinstance(found, dict):
        raise SettingError('PENSTOCK_VARS is no object. Write the values by the names of the vars: {"bucket": "b"}.')
    return cast("dict[str, Json]", found)
