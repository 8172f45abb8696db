"""An event loop without a network: names are answered by a script, and every connection is noted before it is refused.

One address, FRONT, is answered: by a stub on loopback that stands for a public server. Both transports look names up
and connect through the loop, so nothing is replaced in them:

    with Runner(loop_factory=NoNetwork) as runner:
        runner.run(scene())     # asyncio.get_running_loop().names["a.example"] = ["10.0.0.1"]
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterator, Sequence
from typing import Any

FRONT = "93.184.215.98"
PUBLIC = "93.184.215.99"


class Turning(list[Any]):
    """What a resolver found, and what it says when it is read a second time: rebinding between check and connect."""

    def __init__(self, first: Sequence[Any], then: Sequence[Any]) -> None:
        super().__init__(first)
        self._then = list(then)
        self._is_read = False

    def __iter__(self) -> Iterator[Any]:
        if self._is_read:
            return iter(self._then)
        self._is_read = True
        return super().__iter__()


class NoNetwork(asyncio.SelectorEventLoop):
    """Answers look-ups from `names`, those it does not know with `unknown`; notes every attempt to connect in `connects`, and lets none of them out."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, Sequence[str] | Turning] = {}
        self.looked_up: list[str] = []
        self.connects: list[tuple[str, int]] = []
        self.front: tuple[str, int] | None = None
        self.location = ""
        self.unknown: Sequence[str] = ()

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:  # type: ignore[override]
        """What the script says, a number as itself, and nothing else."""
        self.looked_up.append(host)
        found = self.names.get(host)
        if found is None:
            try:
                found = [str(ipaddress.ip_address(host))]
            except ValueError:
                found = self.unknown
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        if isinstance(found, Turning):
            return Turning([info(each, port) for each in list(found)], [info(each, port) for each in found])
        return [info(each, port) for each in found]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Note it; FRONT alone answers."""
        self.connects.append((address[0], address[1]))
        if address[0] != FRONT or self.front is None:
            raise ConnectionRefusedError(111, "Connection refused")
        await super().sock_connect(sock, self.front)

    def begin(self) -> None:
        """Forget what was noted."""
        self.looked_up.clear()
        self.connects.clear()

    @property
    def others(self) -> list[tuple[str, int]]:
        """The attempts to connect to anything but FRONT."""
        return [each for each in self.connects if each[0] != FRONT]


def info(address: str, port: int) -> tuple[Any, ...]:
    """An address as getaddrinfo tells it, whatever the text is."""
    if ":" in address:
        host, _, scope = address.partition("%")
        return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (host, port, 0, 1 if scope else 0))
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))


def here() -> NoNetwork:
    """The running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, NoNetwork)
    return loop
