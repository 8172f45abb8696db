// Three nodes: one that computes, one that remembers, one that asks a server. Build:
//     python -m chalicelib.sandbox.scripts plugin.js plugin.wasm

penstock.node("greet", ({ name }) => {
    if (!name) {
        throw new Error("name: is empty.");
    }
    return { greeting: `Hello, ${name}!` };
});

penstock.node("count", ({ name }) => {
    const times = (penstock.kv.get(name) ?? 0) + 1;
    penstock.kv.put(name, times);
    return times;
});

penstock.node("look", ({ url }) => {
    penstock.log(url);
    const { status } = penstock.http({ url });
    if (status >= 500) {
        throw Object.assign(new Error("the server is ill"), { retry: true });
    }
    return status < 400;
});
