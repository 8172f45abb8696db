"""A chapter of the local AWS story: a loop over 10,000 items, across invocations of the deployed zip."""

import json
import time
from collections.abc import Callable

from tools.aws_local import esm
from tools.aws_local_world import World

ITEMS = 10_000
PATIENCE_SECONDS = 600.0

WIDE = """
flow: wide
inputs: {rows: {type: array}}
triggers: {by_hand: {uses: manual}}
steps:
  each:
    uses: foreach
    with: {over: "${ inputs.rows }", concurrency: 100}
    steps:
      look: {uses: http.request, with: {url: "{stub}/look", query: {n: "${ item }"}}}
    output: {n: "${ item }", path: "${ steps.look.body.path }", padding: "so that all of it is more than an item takes"}
output: {results: "${ steps.each.results }", count: "${ steps.each.count }", failed: "${ [steps.each.failed.index] }"}
"""


def wide_loop(here: World, prove: Callable[..., None]) -> None:
    """A loop over 10,000 items."""
    body = WIDE.replace("{stub}", here.stub.url).encode()
    answer = here.ask_as_admin("PUT", "/api/v1/flows/wide", body, "application/yaml")
    prove("the flow wide is checked and published", answer.status == 201, answer.body)
    here.stub.requests.clear()
    rows = list(range(ITEMS))
    answer = here.ask_as_admin("POST", "/api/v1/flows/wide/run", json.dumps({"inputs": {"rows": rows}}).encode())
    prove("it starts", answer.status in {200, 202}, answer.body)
    execution = answer.json()["execution"]
    began = time.monotonic()
    invocations = delivered = 0
    while here.ask_as_admin("GET", f"/api/v1/executions/{execution}").json().get("status") in {404, "running"}:
        prove_in_time = time.monotonic() - began < PATIENCE_SECONDS
        if not prove_in_time:
            break
        for _ in range(50):
            found = sum(
                esm.deliver(here.client("sqs"), here.client("lambda"), each)
                for each in here.client("lambda").list_event_source_mappings()["EventSourceMappings"]
            )
            if not found:
                break
            invocations, delivered = invocations + 1, delivered + found
    shown = here.ask_as_admin("GET", f"/api/v1/executions/{execution}").json()
    prove("it has succeeded", shown.get("status") == "succeeded", {**shown, "steps": None, "input": None})
    results = shown["output"]["results"]
    prove("with a result for each item, in order", [each["n"] for each in results] == rows, results[:3])
    prove("no turn has failed", (shown["output"]["count"], shown["output"]["failed"]) == (ITEMS, []), shown["output"])
    size = len(json.dumps(results))
    prove("the results are more than an item of the table takes", size > 400_000, size)
    asked = here.stub.requests
    prove("every item was asked for", len(asked) == ITEMS and min(asked.values()) == 1, len(asked))
    seconds = time.monotonic() - began
    print(f"      ({delivered} messages in {invocations} invocations of the zip, {seconds:.0f} s)", flush=True)
