//! The plugin ABI of Penstock, version 1, for Rust. Write a function for each node, name them in `crate::node`
//! (see lib.rs), and build:
//!
//!     rustup target add wasm32-unknown-unknown
//!     cargo build --release --target wasm32-unknown-unknown
//!
//! Nothing is ever freed: every call gets a fresh memory.

use serde_json::{json, Value};

/// Why a node gave no value; `may_pass`: another try may help.
pub struct Refusal {
    pub message: String,
    pub may_pass: bool,
}

impl<T: ToString> From<T> for Refusal {
    fn from(message: T) -> Self {
        Refusal { message: message.to_string(), may_pass: false }
    }
}

pub type Outcome = Result<Value, Refusal>;
pub type Node = fn(parameters: &Value, context: &Value) -> Outcome;

#[allow(dead_code)] // a plugin uses those it needs
#[derive(Clone, Copy)]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

#[link(wasm_import_module = "penstock")]
extern "C" {
    #[link_name = "http"]
    fn host_http(at: *const u8, length: u32) -> u64;
    #[link_name = "kv"]
    fn host_kv(at: *const u8, length: u32) -> u64;
    #[link_name = "log"]
    fn host_log(level: i32, at: *const u8, length: u32);
}

/// Ask for a request; question and answer are as docs/plugins.md has them.
pub fn http(asked: Value) -> Outcome {
    ask(host_http, asked)
}

/// Ask for an operation on the plugin's own key-value space.
pub fn kv(asked: Value) -> Outcome {
    ask(host_kv, asked)
}

/// Write a line.
pub fn log(level: Level, text: &str) {
    unsafe { host_log(level as i32, text.as_ptr(), text.len() as u32) }
}

fn ask(host: unsafe extern "C" fn(*const u8, u32) -> u64, asked: Value) -> Outcome {
    let text = asked.to_string();
    let packed = unsafe { host(text.as_ptr(), text.len() as u32) };
    let mut answer: Value = serde_json::from_slice(given((packed >> 32) as *const u8, packed as u32))?;
    match answer["error"]["message"].as_str() {
        Some(message) => Err(message.into()),
        None => Ok(answer["ok"].take()),
    }
}

fn given<'a>(at: *const u8, length: u32) -> &'a [u8] {
    unsafe { std::slice::from_raw_parts(at, length as usize) }
}

#[no_mangle]
pub extern "C" fn penstock_abi() -> i32 {
    1
}

#[no_mangle]
pub extern "C" fn penstock_alloc(size: u32) -> *mut u8 {
    Vec::<u8>::with_capacity(size.max(1) as usize).leak().as_mut_ptr()
}

#[no_mangle]
pub extern "C" fn penstock_call(at: *const u8, length: u32) -> u64 {
    let answer = match worked(given(at, length)) {
        Ok(value) => json!({ "ok": value }),
        Err(refusal) => json!({ "error": { "message": refusal.message, "retry": refusal.may_pass } }),
    };
    let text = answer.to_string().leak();
    (text.as_ptr() as u64) << 32 | text.len() as u64
}

fn worked(content: &[u8]) -> Outcome {
    let request: Value = serde_json::from_slice(content)?;
    let name = request["node"].as_str().unwrap_or_default();
    let node = crate::node(name).ok_or_else(|| format!("this plugin has no node {name:?}"))?;
    node(&request["parameters"], &request["context"])
}
