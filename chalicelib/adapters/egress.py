"""The egress policy of a deployment's flows, from its settings: the same ones in both worlds.

`PENSTOCK_ALLOW_PRIVATE` opens networks, `PENSTOCK_ONLY_HOSTS` lists the only hosts, `PENSTOCK_ALLOW_OWN` opens the
deployment's own addresses. `docs/egress.md` tells what each means.
"""

from collections.abc import Iterable, Mapping

from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.errors import SettingError

_TRUTHS = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}


def policy_for_flows(
    environment: Mapping[str, str], own: Iterable[str], *, allow: tuple[str, ...], only_hosts: tuple[str, ...] = ()
) -> EgressPolicy:
    """The policy of what flows call.

    Args:
        environment: the process's own.
        own: the URLs under which the deployment answers; refused unless `PENSTOCK_ALLOW_OWN` is set. An empty one is
            not known yet.
        allow: networks to open; `words` of `PENSTOCK_ALLOW_PRIVATE`, or what was given beside the environment.
        only_hosts: the only hosts that may be called; empty: as `PENSTOCK_ONLY_HOSTS` says.

    Raises:
        SettingError: a setting cannot be read; the message names it.
    """
    listed = only_hosts or listed_hosts(environment)
    runtime = environment.get("AWS_LAMBDA_RUNTIME_API")
    return EgressPolicy(
        allow=allow,
        only_hosts=listed or None,
        own=() if _is_set(environment, "PENSTOCK_ALLOW_OWN") else tuple(url for url in own if url),
        # Lambda's own: whoever reaches it reads other events and writes other answers (AWS Lambda, "Runtime API").
        closed=(f"http://{runtime}",) if runtime else (),
    )


def listed_hosts(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The hosts in `PENSTOCK_ONLY_HOSTS`; empty where it is not set.

    Raises:
        SettingError: it is set and names none: whoever sets it means to close something.
    """
    text = environment.get("PENSTOCK_ONLY_HOSTS", "")
    found = words(text)
    if text and not found:
        raise SettingError("PENSTOCK_ONLY_HOSTS names no host. Name some, separated by commas, or leave it out.")
    return found


def words(text: str) -> tuple[str, ...]:
    """What stands between commas and blanks."""
    return tuple(text.replace(",", " ").split())


def _is_set(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "").strip().lower()
    if value not in _TRUTHS:
        raise SettingError(f"{name} is neither 1 nor 0. Write 1 to set it, or leave it out.")
    return _TRUTHS[value]
