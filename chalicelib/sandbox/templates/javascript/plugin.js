// Three nodes: one that computes, one that remembers, one that asks a server. 
// Nothing is to be built: `penstock plugins test`, `pack` and `add` take the script as it is.

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
