//! Three nodes: one that computes, one that remembers, one that asks a server. Build as penstock.rs says.

mod penstock;

use penstock::{http, kv, log, Level, Node, Outcome, Refusal};
use serde_json::{json, Value};

fn node(name: &str) -> Option<Node> {
    match name {
        "greet" => Some(greet),
        "count" => Some(count),
        "look" => Some(look),
        _ => None,
    }
}

fn greet(parameters: &Value, _context: &Value) -> Outcome {
    match parameters["name"].as_str() {
        None | Some("") => Err("name: is empty.".into()),
        Some(name) => Ok(json!({ "greeting": format!("Hello, {name}!") })),
    }
}

fn count(parameters: &Value, _context: &Value) -> Outcome {
    let name = &parameters["name"];
    let times = kv(json!({ "do": "get", "key": name }))?.as_i64().unwrap_or(0) + 1;
    kv(json!({ "do": "put", "key": name, "value": times }))?;
    Ok(json!(times))
}

fn look(parameters: &Value, _context: &Value) -> Outcome {
    let url = parameters["url"].as_str().unwrap_or_default();
    log(Level::Info, url);
    let status = http(json!({ "url": url }))?["status"].as_i64().unwrap_or(0);
    if status >= 500 {
        return Err(Refusal { message: "the server is ill".into(), may_pass: true });
    }
    Ok(json!(status < 400))
}
