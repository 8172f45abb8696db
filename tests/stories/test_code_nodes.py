"""Programs in flows, on a whole embedded server: what they are given, how they fail, and where they are refused."""

import asyncio
import json

from tests.api.house import House, refused
from tests.stories.plugin_place import server

FLOW = """\
flow: shop
inputs: {name: {type: string}, id: {}}
steps:
  greet:
    uses: code.javascript
    with:
      code: |-
        if (input.name === "busy") throw Object.assign(new Error("wait"), {retry: true});
        return {text: `Hello, ${input.name}!`, at: new Date().toISOString(), id: input.id};
      input: {name: "${ inputs.name }", id: "${ inputs.id }"}
output: "${ steps.greet }"
"""


def story_of(folder, story):
    async def told():
        async with server(folder) as place:
            status, said = await place.publish(FLOW)
            assert status == 201, said
            await story(place)

    asyncio.run(asyncio.wait_for(told(), 240))


def test_a_program_runs_in_a_flow_and_its_failures_are_the_steps(tmp_path):
    async def story(place):
        done = await place.run(inputs={"name": "Ada", "id": "7"})
        assert done["status"] == "succeeded", done
        value = done["steps"][0]["output"]
        assert (value["text"], value["id"]) == ("Hello, Ada!", "7")
        assert value["at"].endswith("Z")

        failed = await place.run(inputs={"name": "busy", "id": 1})
        failure = failed["steps"][0]["failure"]
        assert (failed["status"], failure["code"]) == ("failed", "code_thrown")
        assert failure["message"] == "The program threw in line 1: Error: wait."

        failed = await place.run(inputs={"name": "Ada", "id": 2**53 + 1})
        assert "with.input.id: is a whole number beyond 2^53" in json.dumps(failed["steps"][0]["failure"])

    story_of(tmp_path, story)


def test_a_deployment_without_a_sandbox_refuses_a_program_when_it_is_published():
    house = House()
    answer = house.send(
        "PUT", "/api/v1/flows/shop", FLOW.encode(), headers={"content-type": "application/yaml"}, role="editor"
    )
    problem = refused(answer, 422, "plugins_not_here")
    assert "`code.javascript`" in problem["detail"]
