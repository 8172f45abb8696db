"""HTTP itself as a service, and the addresses its nodes take."""

from typing import Annotated, Final

from pydantic import AfterValidator

from chalicelib.kit.address import of_known_scheme
from chalicelib.kit.service import Service

HTTP: Final = Service(
    "HTTP",
    credential="any",
    # Who knows it acts once however often a request comes (draft-ietf-httpapi-idempotency-key-header).
    idempotency_header="Idempotency-Key",
    docs="https://www.rfc-editor.org/rfc/rfc9110",
)

Url = Annotated[str, AfterValidator(of_known_scheme)]
"""An http or https address, or a path below the credential's `base_url`."""
