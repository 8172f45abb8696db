"""Plugins from end to end: added, granted, published with, run, revoked, removed; on a whole embedded server."""

import asyncio
import json

from tests.sandbox.guests import OK, answering, asking, working
from tests.sandbox.hostile import STOPPED
from tests.stories.plugin_place import package, server, service

FLOW = "flow: shop\nsteps:\n  far: {uses: plugin_geo.work}\n"
HTTP = {"asks": {"http": ["127.0.0.1:1"]}}


def run(story):
    asyncio.run(asyncio.wait_for(story, 120))


def get(url):
    return asking("http", json.dumps({"url": url}))


def failure(execution):
    return next(step["failure"] for step in execution["steps"] if step["failure"])


def value(execution):
    assert execution["status"] == "succeeded", execution
    return execution["steps"][0]["output"]


def test_without_a_grant_no_host_is_reached_and_with_it_only_that_host(tmp_path):
    async def story():
        with service() as (granted, asked), service() as (other, asked_of_other):
            wat = get(f"http://{granted}/a")
            async with server(tmp_path) as place:
                hosts = [granted, other]
                status, told = await place.add(package(wat, asks={"http": hosts}))
                assert (status, told["granted"]["http"], told["asks"]["http"]) == (201, [], hosts)
                await place.publish(FLOW)
                assert (
                    failure(await place.run())["message"]
                    == "The plugin was not granted this. An admin can: `penstock plugins grant`."
                )
                assert asked == []

                await place.send("POST", "plugins/geo/grant", {"http": [other]})
                assert "It may reach: " + other in failure(await place.run())["message"]
                assert asked == []

                status, told = await place.send("POST", "plugins/geo/grant", {"http": [granted]})
                assert (status, told["granted"]["http"]) == (200, [other, granted])
                assert value(await place.run())["body"] == '{"here": true}'
                assert (asked, asked_of_other) == (["/a"], [])

                await place.send("POST", "plugins/geo/revoke", {"http": [granted]})
                assert failure(await place.run())["code"] == "plugin_failed"
                assert asked == ["/a"]

    run(story())


def test_a_grant_opens_no_address_that_the_guard_refuses(tmp_path):
    async def story():
        with service() as (host, asked):
            async with server(tmp_path, allow_private=()) as place:
                await place.add(package(get(f"http://{host}/"), asks={"http": [host]}), {"http": [host]})
                await place.publish(FLOW)
                execution = await place.run()
                assert execution["status"] == "failed"
                assert "127.0.0.1" in failure(execution)["message"]
                assert asked == []

    run(story())


def test_what_a_plugin_does_not_ask_for_it_cannot_be_granted(tmp_path):
    async def story():
        async with server(tmp_path) as place:
            status, told = await place.add(package(working(OK)), {"kv": True})
            assert (status, told["code"]) == (422, "plugin_not_asked")
            assert (await place.send("GET", "plugins"))[1]["items"] == []
            await place.add(package(working(OK), asks={"log": True}))
            status, told = await place.send("POST", "plugins/geo/grant", {"http": ["a.example"], "log": True})
            assert (status, told["code"]) == (422, "plugin_not_asked")
            assert not (await place.send("GET", "plugins"))[1]["items"][0]["granted"]["log"]

    run(story())


def test_a_plugins_node_stands_in_the_catalogue_and_is_checked_like_any_other(tmp_path):
    schema = {
        "type": "object",
        "properties": {"far": {"type": "number"}, "unit": {"type": "string"}},
        "required": ["far"],
    }

    async def story():
        async with server(tmp_path) as place:
            status, told = await place.publish(FLOW)
            assert (status, told["code"]) == (422, "flow_check")
            assert "There is no node `plugin_geo.work`." in json.dumps(told)
            await place.add(package(answering('{"ok": 7}'), node={"parameters": schema}))
            nodes = (await place.send("GET", "nodes?service=geo"))[1]["items"]
            assert [each["type"] for each in nodes] == ["plugin_geo.work"]
            status, told = await place.send("GET", "nodes/plugin_geo.work")
            assert told["parameters"]["required"] == ["far"]
            status, told = await place.publish(FLOW)
            assert "`plugin_geo.work` needs `far`." in json.dumps(told)
            flow = 'flow: shop\ninputs: {far: {}}\nsteps:\n  far: {uses: plugin_geo.work, with: {far: "${ inputs.far }"}}\n'
            assert (await place.publish(flow))[0] == 201
            assert value(await place.run(inputs={"far": 3})) == 7
            assert failure(await place.run(inputs={"far": "a mile"}))["code"] == "parameter"

    run(story())


def test_a_flow_goes_on_with_the_version_it_was_published_with(tmp_path):
    async def story():
        async with server(tmp_path) as place:
            await place.add(package(answering('{"ok": "one"}')))
            await place.publish(FLOW)
            first = (await place.send("GET", "flows/shop"))[1]["document"]["plugins"]["geo"]
            _, told = await place.add(package(answering('{"ok": "two"}'), version="2.0.0"))
            assert told["hash"] != first
            assert [each["version"] for each in told["versions"]] == ["1.0.0", "2.0.0"]
            assert value(await place.run()) == "one"
            status, told = await place.publish(FLOW)
            assert told["changed"]
            assert value(await place.run()) == "two"
            await place.publish(f"{FLOW}plugins: {{geo: {first}}}\n")
            assert value(await place.run()) == "one"
            status, told = await place.publish(f"{FLOW}plugins: {{geo: {'0' * 64}}}\n")
            assert (status, told["code"]) == (404, "plugin_missing")

    run(story())


def test_a_blob_that_no_admin_installed_is_no_version_of_a_plugin(tmp_path):
    async def story():
        async with server(tmp_path) as place:
            await place.add(package(answering('{"ok": "one"}'), asks={"kv": True}), {"kv": True})
            from chalicelib.sandbox.package import read_package

            other = read_package(package(answering('{"ok": "mine"}'), version="9.9.9", asks={"kv": True}))
            await place.embedded.store.blobs.put(other.module)
            text = json.dumps(other.manifest.to_json(), sort_keys=True, separators=(",", ":")).encode()
            pin = await place.embedded.store.blobs.put(text)
            status, told = await place.publish(f"{FLOW}plugins: {{geo: {pin}}}\n")
            assert (status, told["code"]) == (404, "plugin_missing")

    run(story())


def test_a_plugin_in_use_is_removed_by_force_alone_and_fails_then(tmp_path):
    async def story():
        async with server(tmp_path) as place:
            await place.add(package(answering('{"ok": 1}')))
            await place.publish(FLOW)
            status, told = await place.send("DELETE", "plugins/geo")
            assert (status, told["code"]) == (409, "plugin_used")
            assert "shop" in told["detail"]
            assert value(await place.run()) == 1
            status, told = await place.send("DELETE", "plugins/geo?force=true")
            assert (status, told["used_by"]) == (200, ["shop"])
            assert failure(await place.run())["code"] == "plugin_missing"
            assert (await place.send("GET", "plugins"))[1]["items"] == []
            assert (await place.send("DELETE", "plugins/geo"))[0] == 404

    run(story())


def test_what_a_plugin_keeps_is_its_own_and_goes_with_it(tmp_path):
    async def story():
        async with server(tmp_path) as place:
            put = asking("kv", '{"do":"put","key":"k","value":{"n":[1]}}')
            read = asking("kv", '{"do":"get","key":"k"}')
            keys = asking("kv", '{"do":"list","prefix":"k"}')
            for name, wat in (("geo", put), ("seen", read), ("reader", read), ("lister", keys)):
                await place.add(package(wat, name=name, asks={"kv": True}), {"kv": True})
                await place.publish(f"flow: {name}\nsteps:\n  far: {{uses: plugin_{name}.work}}\n", name)
            assert value(await place.run("geo")) is False
            assert value(await place.run("geo")) is True
            assert value(await place.run("reader")) is None
            await place.add(package(read, asks={"kv": True}, version="1.1.0"))
            await place.publish("flow: geo\nsteps:\n  far: {uses: plugin_geo.work}\n", "geo")
            assert value(await place.run("geo")) == {"n": [1]}
            await place.add(package(keys, asks={"kv": True}, version="1.2.0"))
            await place.publish("flow: geo\nsteps:\n  far: {uses: plugin_geo.work}\n", "geo")
            assert value(await place.run("geo")) == ["k"]
            assert value(await place.run("lister")) == []
            await place.send("DELETE", "plugins/geo?force=true")
            await place.add(package(read, asks={"kv": True}, version="1.3.0"), {"kv": True})
            await place.publish("flow: geo\nsteps:\n  far: {uses: plugin_geo.work}\n", "geo")
            assert value(await place.run("geo")) is None

    run(story())


def test_the_server_answers_while_hostile_plugins_run_and_afterwards(tmp_path):
    names = [
        "a loop with fuel for a year",
        "memory without end",
        "lines without end",
        "recursion",
        "requests without end",
    ]

    async def story():
        async with server(tmp_path) as place:
            for number, name in enumerate(names):
                content = package(STOPPED[name][0], name=f"bad{number}", asks={"log": True, "http": ["a.example"]})
                assert (await place.add(content, {"log": True}))[0] == 201
                flow = f"flow: bad{number}\nsteps:\n  far: {{uses: plugin_bad{number}.work, timeout: 2s}}\n"
                assert (await place.publish(flow, f"bad{number}"))[0] == 201
            running = [asyncio.create_task(place.run(f"bad{number}")) for number in range(len(names))]
            answered = 0
            while not all(task.done() for task in running):
                assert (await place.send("GET", "health"))[0] == 200
                answered += 1
                await asyncio.sleep(0.05)
            assert answered > 5
            for task in running:
                assert failure(task.result())["code"] in {"module_trapped", "timeout"}
            assert (await place.send("GET", "plugins"))[0] == 200

    run(story())


def test_a_package_larger_than_a_body_comes_in_parts(tmp_path):
    async def story():
        async with server(tmp_path) as place:
            content = package(answering('{"ok": 1}'))
            status, told = await place.add(content, size=100)
            assert (status, told["name"]) == (201, "geo")
            status, told = await place.add(content[:-50], size=100)
            assert (status, told["code"]) == (422, "package_refused")

    run(story())
