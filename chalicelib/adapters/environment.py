"""Credentials from the environment: `PENSTOCK_CREDENTIAL_<NAME>` holds a JSON object of texts. Nothing is stored."""

import json
from collections.abc import Mapping
from typing import cast

from chalicelib.errors import CredentialMissingError, CredentialUnfitError

PREFIX = "PENSTOCK_CREDENTIAL_"


class EnvironmentCredentials:
    """Fulfils `ports.Credentials` until the vault does."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    async def open(self, tenant: str, name: str) -> Mapping[str, str]:
        """The fields of the credential; the environment belongs to every tenant of the deployment."""
        del tenant
        return self.read(name)

    def read(self, name: str) -> Mapping[str, str]:
        """The same at once, for whoever only looks whether it is fit; raises as `open` does."""
        variable = PREFIX + name.upper()
        text = self._environment.get(variable)
        if text is None:
            raise CredentialMissingError(
                f'No credential `{name}`. Set {variable} to a JSON object such as {{"token": "..."}}.'
            )
        try:
            fields = json.loads(text)
        except ValueError:
            # Not chained: the parser's message quotes the text, and the text is a secret.
            raise CredentialUnfitError(f"{variable} is not JSON. Write an object of texts.") from None
        if not isinstance(fields, dict) or not all(
            isinstance(value, str) for value in cast("dict[str, object]", fields).values()
        ):
            raise CredentialUnfitError(f"{variable} is not an object of texts. Put every value in quotes.")
        return cast("dict[str, str]", fields)

    def names(self) -> list[str]:
        """The credentials there are, by name, never their values."""
        return sorted(key.removeprefix(PREFIX).lower() for key in self._environment if key.startswith(PREFIX))
