"""A step whose node is a plugin's: its parameters are held against its declaration, then the sandbox has it."""

import asyncio
from collections.abc import Mapping

from chalicelib.engine.retry import failure_of
from chalicelib.errors import ParameterError, PenstockError, WorkerMishapError
from chalicelib.flow.inputs import fit_inputs
from chalicelib.flow.values import Json
from chalicelib.kit.values import Failure, Outcome, Succeeded
from chalicelib.ports.plugins import PluginCall, Sent
from chalicelib.sandbox.errors import PluginMissingError, PluginsNotHereError
from chalicelib.sandbox.manifest import PREFIX
from chalicelib.worker.prepared import Prepared, Surroundings
from chalicelib.worker.redaction import masked
from chalicelib.worker.tools import Tools


async def run_plugin(tools: Tools, prepared: Prepared, around: Surroundings, timeout_seconds: float) -> Outcome:
    """Run it once. Whatever goes wrong is an outcome; only a mishap of this worker or its store is raised."""
    step, sent = prepared.step, Sent()
    try:
        if tools.plugins is None:
            raise PluginsNotHereError
        plugin, _, node = step.uses.removeprefix(PREFIX).partition(".")
        entries = await tools.plugins.pinned(around.tenant, {plugin: step.plugin})
        call = PluginCall(
            tenant=around.tenant,
            plugin=plugin,
            pin=step.plugin,
            node=node,
            parameters=fitted(entries.get(step.uses), prepared.parameters),
            execution=around.execution,
            step=step.id,
            now=prepared.moment.now,
            zone=prepared.moment.zone,
            seconds=timeout_seconds,
            mask=around.secrets.mask_text,
        )
        async with asyncio.timeout(timeout_seconds + 1):  # the sandbox ends it first, by name
            answer = await tools.plugins.call(call, sent)
    except WorkerMishapError:
        raise
    except TimeoutError:
        said = f"No answer within {timeout_seconds:g} s. Allow more with `timeout`, or give it less to do."
        return masked(Failure("timeout", said, is_retriable=True, sent=sent.word), around.secrets)
    except PenstockError as error:
        failure = failure_of(error)
        return masked(_with(failure, sent), around.secrets)
    if "ok" in answer:
        return Succeeded(answer["ok"])
    error = answer["error"]
    said, retry = (str(error["message"]), error["retry"] is True) if isinstance(error, dict) else ("", False)
    said = said or "The plugin failed."
    return masked(Failure("plugin_failed", said, is_retriable=retry, sent=sent.word), around.secrets)


def fitted(entry: Json, given: Mapping[str, Json]) -> Mapping[str, Json]:
    """The parameters as the plugin declares them: defaults filled in, kinds converted where nothing is lost.

    Raises ParameterError for what does not fit, PluginMissingError where there is no such node.
    """
    if not isinstance(entry, dict):
        raise PluginMissingError("The plugin of this step is not installed any more, or has no such node.")
    schema = entry.get("parameters")
    schema = schema if isinstance(schema, dict) else {}
    properties, required = schema.get("properties"), schema.get("required")
    needed = required if isinstance(required, list) else []
    declared: dict[str, Json] = {}
    for name, one in (properties if isinstance(properties, dict) else {}).items():
        said = one if isinstance(one, dict) else {}
        declared[name] = said if name in needed else {"optional": True, **said}
    if not declared:
        if given:
            raise ParameterError(f"`{entry.get('type')}` takes no parameters.")
        return {}
    return fit_inputs(declared, given, where="with")


def _with(failure: Failure, sent: Sent) -> Failure:
    return Failure(failure.code, failure.message, failure.status, failure.is_retriable, sent=sent.word)
