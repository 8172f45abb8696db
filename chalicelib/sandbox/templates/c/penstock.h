/*
 * The plugin ABI of Penstock, version 1, for C: one header, no C library, no WASI.
 *
 * Write `static ps_answer my_node(ps_value parameters, ps_value context)` for each node, name them in `PS_NODES`, and
 * build:
 *     zig cc -target wasm32-freestanding -Oz -nostdlib -Wl,--no-entry -o plugin.wasm plugin.c
 *
 * A `ps_value` is a piece of JSON text. Nothing is ever freed: every call gets a fresh memory.
 */
#ifndef PENSTOCK_H
#define PENSTOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PS_IMPORT(name) __attribute__((import_module("penstock"), import_name(name)))
#define PS_EXPORT(name) __attribute__((export_name(name)))

PS_IMPORT("http") uint64_t ps_host_http(const char *text, uint32_t length);
PS_IMPORT("kv") uint64_t ps_host_kv(const char *text, uint32_t length);
PS_IMPORT("log") void ps_host_log(int32_t level, const char *text, uint32_t length);

typedef struct { const char *at; size_t length; } ps_value; /* JSON text; {NULL, 0}: there is none */
typedef struct { char *at; size_t length; } ps_text;        /* decoded text; a zero stands behind it */
typedef struct { char *at; size_t length, room; } ps_json;  /* JSON that is being written */
typedef ps_json ps_answer;

enum { PS_DEBUG, PS_INFO, PS_WARNING, PS_ERROR };

/* ---- Memory: what was given is never taken back. ---- */

extern unsigned char __heap_base;
static uintptr_t ps_next;

static void *ps_room(size_t size)
{
    if (!ps_next)
        ps_next = (uintptr_t)&__heap_base;
    uintptr_t start = (ps_next + 7) & ~(uintptr_t)7, end = start + size;
    size_t have = __builtin_wasm_memory_size(0) * 65536;
    if (end < start || (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535) / 65536) == (size_t)-1))
        __builtin_trap();
    ps_next = end;
    return (void *)start;
}

PS_EXPORT("penstock_alloc") void *penstock_alloc(uint32_t size) { return ps_room(size); }
PS_EXPORT("penstock_abi") int32_t penstock_abi(void) { return 1; }

static size_t ps_length(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

static bool ps_same(const char *one, size_t length, const char *other)
{
    for (size_t place = 0; place < length; place++)
        if (one[place] != other[place]) /* a zero at the end of `other` differs */
            return false;
    return other[length] == 0;
}

/* ---- Reading ---- */

static const char *ps_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

static const char *ps_skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

static const char *ps_skip(const char *at, const char *end)
{
    if (at < end && *at == '"')
        return ps_skip_string(at, end);
    int depth = 0;
    while (at < end) {
        char c = *at;
        if (c == '"') {
            at = ps_skip_string(at, end);
            continue;
        }
        if ((c == ',' || c == ']' || c == '}') && depth == 0)
            break;
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        at++;
    }
    return at;
}

/* The value of a key of an object, or the value at a place of a list; none where there is no such. */
static ps_value ps_step(ps_value in, const char *key, size_t index)
{
    ps_value none = {NULL, 0};
    const char *end = in.at + in.length, *at = in.at ? ps_skip_space(in.at, end) : NULL;
    if (!at || at >= end || *at != (key ? '{' : '['))
        return none;
    for (at = ps_skip_space(at + 1, end); at < end && *at != '}' && *at != ']';) {
        bool found = !key && index-- == 0;
        if (key) {
            const char *name = at;
            at = ps_skip_string(at, end);
            found = ps_same(name + 1, (size_t)(at - name) - 2, key);
            at = ps_skip_space(ps_skip_space(at, end) + 1, end); /* over the colon */
        }
        const char *start = at;
        at = ps_skip(at, end);
        if (found)
            return (ps_value){start, (size_t)(at - start)};
        at = ps_skip_space(at, end);
        if (at < end && *at == ',')
            at = ps_skip_space(at + 1, end);
    }
    return none;
}

static ps_value ps_get(ps_value object, const char *key) { return ps_step(object, key, 0); }
static ps_value ps_item(ps_value list, size_t index) { return ps_step(list, NULL, index); }
static bool ps_is_text(ps_value value) { return value.at && value.length && *value.at == '"'; }

static uint32_t ps_hex(const char *at)
{
    uint32_t code = 0;
    for (int place = 0; place < 4; place++) {
        char c = at[place];
        code = code << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return code;
}

static char *ps_utf8(char *out, uint32_t code)
{
    if (code < 0x80)
        *out++ = (char)code;
    else if (code < 0x800)
        *out++ = (char)(0xC0 | code >> 6), *out++ = (char)(0x80 | (code & 63));
    else if (code < 0x10000)
        *out++ = (char)(0xE0 | code >> 12), *out++ = (char)(0x80 | (code >> 6 & 63)), *out++ = (char)(0x80 | (code & 63));
    else
        *out++ = (char)(0xF0 | code >> 18), *out++ = (char)(0x80 | (code >> 12 & 63)),
        *out++ = (char)(0x80 | (code >> 6 & 63)), *out++ = (char)(0x80 | (code & 63));
    return out;
}

/* A JSON string as text; {NULL, 0} where the value is none. */
static ps_text ps_string(ps_value value)
{
    if (!ps_is_text(value))
        return (ps_text){NULL, 0};
    char *start = ps_room(value.length), *out = start;
    const char *at = value.at + 1, *end = value.at + value.length - 1;
    while (at < end) {
        if (*at != '\\') {
            *out++ = *at++;
            continue;
        }
        char c = at[1];
        at += 2;
        if (c != 'u') {
            *out++ = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c == 'f' ? '\f' : c;
            continue;
        }
        uint32_t code = ps_hex(at);
        at += 4;
        if (code >> 10 == 0x36 && at + 5 < end && at[0] == '\\' && at[1] == 'u') {
            code = 0x10000 + ((code & 0x3FF) << 10) + (ps_hex(at + 2) & 0x3FF);
            at += 6;
        }
        out = ps_utf8(out, code);
    }
    *out = 0;
    return (ps_text){start, (size_t)(out - start)};
}

/* A whole number; `otherwise` where the value is none. */
static int64_t ps_whole(ps_value value, int64_t otherwise)
{
    size_t place = value.length && *value.at == '-';
    int64_t number = 0;
    if (place >= value.length || value.length > 19)
        return otherwise;
    for (; place < value.length; place++) {
        if (value.at[place] < '0' || value.at[place] > '9')
            return otherwise;
        number = number * 10 + (value.at[place] - '0');
    }
    return *value.at == '-' ? -number : number;
}

/* ---- Writing ---- */

static void ps_bytes(ps_json *json, const char *text, size_t length)
{
    if (json->length + length > json->room) {
        size_t room = (json->length + length) * 2 + 64;
        char *moved = ps_room(room);
        for (size_t place = 0; place < json->length; place++)
            moved[place] = json->at[place];
        json->at = moved, json->room = room;
    }
    for (size_t place = 0; place < length; place++)
        json->at[json->length++] = text[place];
}

/* JSON as it stands. */
static void ps_raw(ps_json *json, const char *text) { ps_bytes(json, text, ps_length(text)); }

/* What stands inside a JSON string: the text, escaped, without the quotes. */
static void ps_escaped(ps_json *json, const char *text, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t place = 0; place < length; place++) {
        unsigned char c = (unsigned char)text[place];
        if (c == '"' || c == '\\')
            ps_bytes(json, "\\", 1);
        if (c < 0x20) {
            char code[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
            ps_bytes(json, code, sizeof code);
        } else
            ps_bytes(json, text + place, 1);
    }
}

static void ps_quoted(ps_json *json, const char *text, size_t length)
{
    ps_bytes(json, "\"", 1);
    ps_escaped(json, text, length);
    ps_bytes(json, "\"", 1);
}

static void ps_number(ps_json *json, int64_t number)
{
    char digits[20];
    size_t place = sizeof digits;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        digits[--place] = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0)
        ps_bytes(json, "-", 1);
    ps_bytes(json, digits + place, sizeof digits - place);
}

/* ---- Answers, and asking the host ---- */

/* `value` is JSON. */
static ps_answer ps_ok(ps_json value)
{
    ps_json answer = {0};
    ps_raw(&answer, "{\"ok\":");
    ps_bytes(&answer, value.at, value.length);
    ps_raw(&answer, "}");
    return answer;
}

static ps_answer ps_error(const char *message, bool may_pass)
{
    ps_json answer = {0};
    ps_raw(&answer, "{\"error\":{\"message\":");
    ps_quoted(&answer, message, ps_length(message));
    ps_raw(&answer, may_pass ? ",\"retry\":true}}" : ",\"retry\":false}}");
    return answer;
}

static ps_value ps_answered(uint64_t packed)
{
    return (ps_value){(const char *)(uintptr_t)(packed >> 32), (size_t)(packed & 0xFFFFFFFF)};
}

/* Ask for a request, or for an operation on the key-value space; the question and the answer are JSON (docs/plugins.md).
 * `ps_get(answer, "ok")` is what was asked for, `ps_get(answer, "error")` says why it is not there. */
static ps_value ps_http(ps_json asked) { return ps_answered(ps_host_http(asked.at, (uint32_t)asked.length)); }
static ps_value ps_kv(ps_json asked) { return ps_answered(ps_host_kv(asked.at, (uint32_t)asked.length)); }
static void ps_log(int level, const char *text, size_t length) { ps_host_log(level, text, (uint32_t)length); }

/* A host's error, handed on as it is. */
static ps_answer ps_refused(ps_value answer)
{
    ps_text message = ps_string(ps_get(ps_get(answer, "error"), "message"));
    return ps_error(message.at ? message.at : "the host refused", false);
}

/* ---- The call ---- */

typedef struct { const char *name; ps_answer (*work)(ps_value parameters, ps_value context); } ps_node;

#define PS_NODES(...)                                                                                                   \
    PS_EXPORT("penstock_call") uint64_t penstock_call(const char *text, uint32_t length)                               \
    {                                                                                                                  \
        static const ps_node nodes[] = {__VA_ARGS__};                                                                  \
        ps_value request = {text, length};                                                                             \
        ps_text name = ps_string(ps_get(request, "node"));                                                             \
        ps_answer answer = ps_error("this plugin has no such node", false);                                            \
        for (size_t place = 0; place < sizeof nodes / sizeof *nodes; place++)                                          \
            if (name.at && ps_same(name.at, name.length, nodes[place].name))                                           \
                answer = nodes[place].work(ps_get(request, "parameters"), ps_get(request, "context"));                 \
        return (uint64_t)(uintptr_t)answer.at << 32 | (uint32_t)answer.length;                                         \
    }

#endif
