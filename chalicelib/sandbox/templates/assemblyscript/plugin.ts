// Three nodes: one that computes, one that remembers, one that asks a server. Build:
//     npm install && npm run build
import { INFO, Value, error, http, kv, log, node, ok, quoted, refused } from "./penstock";
export { penstock_abi, penstock_alloc, penstock_call } from "./penstock";

node("greet", (parameters: Value, context: Value): string => {
  const name = parameters.get("name").text();
  if (name == "") return error("name: is empty.");
  return ok('{"greeting":' + quoted("Hello, " + name + "!") + "}");
});

node("count", (parameters: Value, context: Value): string => {
  const name = parameters.get("name").json;
  const known = kv('{"do":"get","key":' + name + "}");
  if (known.get("error").exists) return refused(known);
  const times = (<i64>(known.get("ok").number(0) + 1)).toString();
  const kept = kv('{"do":"put","key":' + name + ',"value":' + times + "}");
  return kept.get("error").exists ? refused(kept) : ok(times);
});

node("look", (parameters: Value, context: Value): string => {
  const url = parameters.get("url");
  log(INFO, url.text());
  const answer = http('{"url":' + url.json + "}");
  if (answer.get("error").exists) return refused(answer);
  const status = answer.get("ok").get("status").number(0);
  if (status >= 500) return error("the server is ill", true);
  return ok(status < 400 ? "true" : "false");
});
