// Evaluated before anything of the user's, with what the host gives: what it needs of the language it keeps for itself,
// since the user's code may change every prototype. Its value is called with each request: see javascript.c.
(function (log, http, kv, isPlugin) {
    "use strict";

    const { apply, ownKeys } = Reflect;
    const { parse, stringify } = JSON;
    const text = String;
    const join = Array.prototype.join;
    const slice = String.prototype.slice;
    const TypeErrorAtStart = TypeError;
    const LONGEST_LINE = 2000;
    const MOST_LINES = 200;
    let lines = 0;

    function shown(value) {
        if (typeof value === "string") {
            return value;
        }
        if (typeof value === "object" && value !== null) {
            try {
                return stringify(value) ?? text(value);
            } catch {
                return "[an object]";
            }
        }
        return text(value);
    }

    function printer(level) {
        return function (...values) {
            if (lines >= MOST_LINES) {
                return;
            }
            lines += 1;
            const parts = [];
            for (let place = 0; place < values.length; place += 1) {
                parts[place] = shown(values[place]);
            }
            log(level, apply(slice, apply(join, parts, [" "]), [0, LONGEST_LINE]));
        };
    }

    function define(where, name, value) {
        Object.defineProperty(where, name, { __proto__: null, value, writable: true, configurable: true });
    }

    define(globalThis, "console", {
        debug: printer(0), log: printer(1), info: printer(1), warn: printer(2), error: printer(3),
    });
    delete globalThis.SharedArrayBuffer;

    const handlers = { __proto__: null };
    if (isPlugin) {
        const asked = (host, question) => {
            const answer = parse(host(stringify(question)));
            if (answer.error) {
                throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
            }
            return answer.ok;
        };
        define(globalThis, "penstock", {
            node(name, handler) {
                if (typeof handler !== "function") {
                    throw new TypeErrorAtStart(`penstock.node(${stringify(name)}, ...): a function is missing`);
                }
                handlers[name] = handler;
            },
            http: (request) => asked(http, request),
            kv: {
                get: (key) => asked(kv, { do: "get", key }),
                put: (key, value) => asked(kv, { do: "put", key, value }),
                delete: (key) => asked(kv, { do: "delete", key }),
                list: (prefix = "", after = "", limit = 100) => asked(kv, { do: "list", prefix, after, limit }),
            },
            log: (message, level = 1) => log(level, apply(slice, shown(message), [0, LONGEST_LINE])),
        });
    }

    return function (node, parameters, context) {
        if (!(node in handlers)) {
            throw new TypeErrorAtStart(`this plugin has no node ${stringify(node)}; it has ${stringify(ownKeys(handlers))}`);
        }
        return handlers[node](parameters, context);
    };
})
