// The plugin ABI of Penstock, version 1, for AssemblyScript. Write a function for each node and name them with `node`
// (see plugin.ts). Nothing is ever freed: every call gets a fresh memory.

// @ts-ignore: decorator
@external("penstock", "http")
declare function hostHttp(at: usize, length: i32): i64;
// @ts-ignore: decorator
@external("penstock", "kv")
declare function hostKv(at: usize, length: i32): i64;
// @ts-ignore: decorator
@external("penstock", "log")
declare function hostLog(level: i32, at: usize, length: i32): void;

/** A piece of JSON text; empty where there is none. */
export class Value {
  constructor(public json: string) {}

  get exists(): bool {
    return this.json.length > 0;
  }

  /** The value of a key of an object; empty where there is no such. */
  get(key: string): Value {
    const json = this.json;
    let at = skipSpace(json, 0);
    if (at >= json.length || json.charCodeAt(at) != 0x7b) return new Value("");
    at = skipSpace(json, at + 1);
    while (at < json.length && json.charCodeAt(at) != 0x7d) {
      const nameEnd = skipString(json, at);
      const found = json.substring(at + 1, nameEnd - 1) == key;
      const start = skipSpace(json, skipSpace(json, nameEnd) + 1);
      at = skipValue(json, start);
      if (found) return new Value(json.substring(start, at).trim());
      at = skipSpace(json, at);
      if (at < json.length && json.charCodeAt(at) == 0x2c) at = skipSpace(json, at + 1);
    }
    return new Value("");
  }

  /** A JSON string as text; empty where it is none. */
  text(): string {
    const json = this.json;
    if (json.length < 2 || json.charCodeAt(0) != 0x22) return "";
    const out = new Array<i32>();
    for (let at = 1; at < json.length - 1; at++) {
      let code = json.charCodeAt(at);
      if (code == 0x5c) {
        code = json.charCodeAt(++at);
        if (code == 0x75) {
          code = I32.parseInt(json.substring(at + 1, at + 5), 16);
          at += 4;
        } else if (code == 0x6e) code = 0x0a;
        else if (code == 0x74) code = 0x09;
        else if (code == 0x72) code = 0x0d;
        else if (code == 0x62) code = 0x08;
        else if (code == 0x66) code = 0x0c;
      }
      out.push(code);
    }
    return String.fromCharCodes(out);
  }

  /** A number; `otherwise` where it is none. */
  number(otherwise: f64): f64 {
    const value = F64.parseFloat(this.json);
    return isNaN(value) ? otherwise : value;
  }
}

/** Text as a JSON string. */
export function quoted(text: string): string {
  const out: i32[] = [0x22];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code == 0x22 || code == 0x5c) out.push(0x5c);
    if (code >= 0x20) {
      out.push(code);
      continue;
    }
    const escape = "\\u00" + (code < 0x10 ? "0" : "") + code.toString(16);
    for (let place = 0; place < escape.length; place++) out.push(escape.charCodeAt(place));
  }
  out.push(0x22);
  return String.fromCharCodes(out);
}

/** The answer of a node that worked; `json` is its value. */
export function ok(json: string): string {
  return '{"ok":' + json + "}";
}

/** The answer of a node that did not; `mayPass`: another try may help. */
export function error(message: string, mayPass: bool = false): string {
  return '{"error":{"message":' + quoted(message) + ',"retry":' + (mayPass ? "true" : "false") + "}}";
}

/** What the host answered; the value is below `ok`, and `error` says why there is none. */
export function http(asked: string): Value {
  const bytes = String.UTF8.encode(asked);
  return answered(hostHttp(changetype<usize>(bytes), bytes.byteLength));
}

export function kv(asked: string): Value {
  const bytes = String.UTF8.encode(asked);
  return answered(hostKv(changetype<usize>(bytes), bytes.byteLength));
}

export const DEBUG = 0, INFO = 1, WARNING = 2, ERROR = 3;

export function log(level: i32, text: string): void {
  const bytes = String.UTF8.encode(text);
  hostLog(level, changetype<usize>(bytes), bytes.byteLength);
}

/** A host's error, handed on as it is. */
export function refused(answer: Value): string {
  return error(answer.get("error").get("message").text());
}

type Node = (parameters: Value, context: Value) => string;
const nodes = new Map<string, Node>();

/** Name a node. */
export function node(name: string, work: Node): void {
  nodes.set(name, work);
}

export function penstock_abi(): i32 {
  return 1;
}

export function penstock_alloc(size: i32): usize {
  return heap.alloc(size);
}

export function penstock_call(at: usize, length: i32): i64 {
  const request = new Value(String.UTF8.decodeUnsafe(at, length));
  const name = request.get("node").text();
  const answer = nodes.has(name)
    ? nodes.get(name)(request.get("parameters"), request.get("context"))
    : error("this plugin has no node " + quoted(name));
  const bytes = String.UTF8.encode(answer);
  return ((<i64>changetype<usize>(bytes)) << 32) | bytes.byteLength;
}

/** What the run time calls where it gives up; `--use` names it in the place of a function of the host. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  unreachable();
}

function answered(packed: i64): Value {
  return new Value(String.UTF8.decodeUnsafe(<usize>(packed >>> 32), <usize>(packed & 0xffffffff)));
}

function skipSpace(json: string, at: i32): i32 {
  while (at < json.length && json.charCodeAt(at) <= 0x20) at++;
  return at;
}

function skipString(json: string, at: i32): i32 {
  for (at++; at < json.length && json.charCodeAt(at) != 0x22; at++) if (json.charCodeAt(at) == 0x5c) at++;
  return at + 1;
}

function skipValue(json: string, at: i32): i32 {
  let depth = 0;
  while (at < json.length) {
    const code = json.charCodeAt(at);
    if (code == 0x22) {
      at = skipString(json, at);
      continue;
    }
    if (depth == 0 && (code == 0x2c || code == 0x5d || code == 0x7d)) break;
    if (code == 0x7b || code == 0x5b) depth++;
    else if (code == 0x7d || code == 0x5d) depth--;
    at++;
  }
  return at;
}
