"""A vault over memory, with a real key file and a service that answers as it is told."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.adapters.environment import EnvironmentCredentials
from chalicelib.adapters.memory.documents import MemoryDocuments
from chalicelib.adapters.vault import VaultCredentials
from chalicelib.adapters.vault_admin import VaultAdmin
from chalicelib.adapters.vault_key_file import VaultKeyFile
from chalicelib.ports import HttpAnswer

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.moment = NOW

    def now(self):
        return self.moment

    async def sleep(self, seconds):
        self.moment += timedelta(seconds=seconds)

    def skip(self, seconds):
        self.moment += timedelta(seconds=seconds)


class Service:
    """Fulfils `ports.Http`."""

    def __init__(self):
        self.sent: list[Any] = []
        self.answer: Any = HttpAnswer(200, (), b"{}")

    async def send(self, request):
        self.sent.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Desk:
    """One process that knows the vault; `beside` is another one on the same store and key file."""

    def __init__(self, folder, documents=None, clock=None, **environment):
        self.folder = folder
        self.environment = {f"PENSTOCK_CREDENTIAL_{name.upper()}": json.dumps(v) for name, v in environment.items()}
        self.documents = documents or MemoryDocuments()
        self.clock = clock or Clock()
        self.keys = VaultKeyFile(folder / "house" / "vault-key")
        self.service = Service()
        known = EnvironmentCredentials(self.environment)
        self.credentials = VaultCredentials(self.documents, lambda: self.keys, known, self.clock)
        self.admin = VaultAdmin(self.credentials, self.service, renew=self.keys.renew)

    def beside(self):
        return Desk(self.folder, self.documents, self.clock)

    def set(self, name, fields, *, type_name="", share=None, is_admin=True, tenant="main"):
        work = self.admin.keep(tenant, name, fields, type_name=type_name, share=share, is_admin=is_admin)
        return asyncio.run(work)

    def rotate(self, name, fields, *, overlap=0, is_admin=True):
        return asyncio.run(self.admin.rotate("main", name, fields, overlap_seconds=overlap, is_admin=is_admin))

    def open(self, name, *, flow="shop", tenant="main"):
        return dict(asyncio.run(self.credentials.open(tenant, name, flow=flow)))

    def value(self, name, tenant="main"):
        return asyncio.run(self.documents.get(tenant, "credential", name)).value

    def put(self, name, value, *, tenant="main"):
        """Write the document past the vault, as somebody would who has got at the store."""

        async def over():
            seen = await self.documents.get(tenant, "credential", name)
            assert await self.documents.put(tenant, "credential", name, value, seen=seen.rev if seen else None)

        asyncio.run(over())
        self.credentials.forget(tenant, name)
