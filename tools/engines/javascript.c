/*
 * QuickJS behind the plugin ABI: a request comes in as JSON text, an answer goes out as JSON text.
 *
 * Without a script of its own (`penstock_script` is empty) the module runs the code that a request carries:
 *     {"parameters": {"code": text, "input": any, "now": ISO 8601, "seed": text}}
 * `code` is the body of an async function of `input`; the answer is {"ok": {"value": any}}, or {"ok": {"error": {"kind",
 * "message", "line", "retry"}}}, `kind` one of syntax, thrown, result, memory, stack, request.
 *
 * With a script (chalicelib/sandbox/scripts.py writes one into the module) it is a plugin: the script names its nodes,
 * and a request names one of them.
 *
 * The module is given a fresh memory for each request, so nothing is freed. It has no clock and no randomness of its
 * own: the time stands still at `now`, and random numbers follow from the bytes of the request.
 */

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quickjs.h"

#define EXPORTED(name) __attribute__((export_name(name), visibility("default")))
#define IMPORTED(name) __attribute__((import_module("penstock"), import_name(name)))

enum {
    MOST_MEMORY = 48 * 1024 * 1024,
    MOST_STACK = 128 * 1024,
    MOST_MESSAGE = 1000,
    DEEPEST = 100,
    FIRST_LINE = 1,
};

IMPORTED("http") extern uint64_t host_http(const char *text, uint32_t length);
IMPORTED("kv") extern uint64_t host_kv(const char *text, uint32_t length);
IMPORTED("log") extern void host_log(int32_t level, const char *text, uint32_t length);

/* Where a plugin's script lies; written into the module once it is built. */
__attribute__((visibility("default"))) volatile const struct { uint32_t start, length; } penstock_script = {0, 0};

static const char prelude[] = {
#embed "javascript.js"
    , 0
};

/* ---- What the C library would ask of a system: a clock that stands still, and nothing else. ---- */

static uint64_t now_nanoseconds;

int32_t __imported_wasi_snapshot_preview1_clock_time_get(int32_t id, int64_t precision, int32_t result)
{
    (void)id, (void)precision;
    *(uint64_t *)(uintptr_t)result = now_nanoseconds;
    return 0;
}

enum { NO_SUCH_FILE = 8 };

int32_t __imported_wasi_snapshot_preview1_fd_write(int32_t file, int32_t parts, int32_t count, int32_t written)
{
    (void)file, (void)parts, (void)count, (void)written;
    return NO_SUCH_FILE;
}

int close(int file)
{
    (void)file;
    return NO_SUCH_FILE;
}

int32_t __imported_wasi_snapshot_preview1_fd_seek(int32_t file, int64_t offset, int32_t whence, int32_t result)
{
    (void)file, (void)offset, (void)whence, (void)result;
    return NO_SUCH_FILE;
}

int32_t __imported_wasi_snapshot_preview1_fd_fdstat_get(int32_t file, int32_t result)
{
    (void)file, (void)result;
    return NO_SUCH_FILE;
}

/* ---- Memory: the engine's own limit lies below the host's, so that code can be told of it. ---- */

static size_t in_use;
static bool ran_out;

static size_t size_of(const void *block)
{
    return block ? malloc_usable_size((void *)block) : 0;
}

static void *counted(void *block)
{
    ran_out |= block == NULL;
    in_use += size_of(block);
    return block;
}

static bool is_too_much(size_t size)
{
    bool is = size > MOST_MEMORY || in_use + size > MOST_MEMORY;
    ran_out |= is;
    return is;
}

static void *js_calloc_counted(void *opaque, size_t count, size_t size)
{
    (void)opaque;
    if (size && count > MOST_MEMORY / size)
        return NULL;
    return is_too_much(count * size) ? NULL : counted(calloc(count, size));
}

static void *js_malloc_counted(void *opaque, size_t size)
{
    (void)opaque;
    return is_too_much(size) ? NULL : counted(malloc(size));
}

static void js_free_counted(void *opaque, void *block)
{
    (void)opaque;
    in_use -= size_of(block);
    free(block);
}

static void *js_realloc_counted(void *opaque, void *block, size_t size)
{
    (void)opaque;
    size_t before = size_of(block);
    if (size > before && is_too_much(size - before))
        return NULL;
    void *moved = realloc(block, size);
    if (!moved) {
        ran_out |= size > 0;
        return NULL;
    }
    in_use += size_of(moved) - before;
    return moved;
}

static const JSMallocFunctions memory = {
    js_calloc_counted, js_malloc_counted, js_free_counted, js_realloc_counted, size_of,
};

/* ---- Answers ---- */

static uint64_t packed(const char *text, size_t length)
{
    return (uint64_t)(uintptr_t)text << 32 | (uint32_t)length;
}

#define ANSWER(text) packed(text, sizeof(text) - 1)
#define IS_PLUGIN (penstock_script.length > 0)

static uint64_t no_memory(void)
{
    if (IS_PLUGIN)
        return ANSWER("{\"error\":{\"message\":\"The script ran out of memory.\",\"retry\":false}}");
    return ANSWER("{\"ok\":{\"error\":{\"kind\":\"memory\",\"message\":\"out of memory\",\"retry\":false}}}");
}

/* A text of the user's, cut; empty where it cannot be read. */
static JSValue as_message(JSContext *js, JSValueConst value)
{
    JSValue text = JS_ToString(js, value);
    if (JS_IsException(text)) {
        JS_FreeValue(js, JS_GetException(js));
        return JS_NewString(js, "");
    }
    return text;
}

/* The line of the user's code that a stack trace names first; 0 where it names none. */
static int line_of(const char *stack)
{
    const char *found = strstr(stack, "code:");
    int line = 0;
    if (found)
        for (found += 5; *found >= '0' && *found <= '9' && line < 10000000; found++)
            line = line * 10 + (*found - '0');
    return line;
}

static JSValue property(JSContext *js, JSValueConst of, const char *name)
{
    JSValue value = JS_IsObject(of) ? JS_GetPropertyStr(js, of, name) : JS_UNDEFINED;
    if (JS_IsException(value)) {
        JS_FreeValue(js, JS_GetException(js));
        return JS_UNDEFINED;
    }
    return value;
}

static uint64_t answer_of_object(JSContext *js, JSValue object)
{
    size_t length;
    JSValue text = JS_JSONStringify(js, object, JS_UNDEFINED, JS_UNDEFINED);
    const char *bytes = JS_IsString(text) ? JS_ToCStringLen(js, &length, text) : NULL;
    return bytes ? packed(bytes, length) : no_memory();
}

/* An object without a prototype: what the user made of Object.prototype does not change what is said here. */
static JSValue bare(JSContext *js)
{
    return JS_NewObjectProto(js, JS_NULL);
}

static void set(JSContext *js, JSValue object, const char *name, JSValue value)
{
    JS_DefinePropertyValueStr(js, object, name, value, JS_PROP_C_W_E);
}

/* A plugin answers its error as the ABI has it; code answers with an error as its value, which says more. */
static uint64_t refusal(JSContext *js, const char *kind, JSValue message, int line, bool retry)
{
    JSValue error = bare(js), whole = bare(js);
    set(js, error, "message", message);
    set(js, error, "retry", JS_NewBool(js, retry));
    set(js, whole, "error", error);
    if (IS_PLUGIN)
        return answer_of_object(js, whole);
    set(js, error, "kind", JS_NewString(js, kind));
    if (line > 0)
        set(js, error, "line", JS_NewInt32(js, line));
    JSValue answer = bare(js);
    set(js, answer, "ok", whole);
    return answer_of_object(js, answer);
}

static uint64_t refused(JSContext *js, const char *kind, const char *message)
{
    return refusal(js, kind, JS_NewString(js, message), 0, false);
}

/* The beginning of a text, as text that UTF-8 can carry: half a surrogate pair becomes U+FFFD. */
static JSValue cut(JSContext *js, JSValue text)
{
    size_t length;
    const char *bytes = JS_ToCStringLen(js, &length, text);
    if (!bytes) {
        JS_FreeValue(js, JS_GetException(js));
        return JS_NewString(js, "");
    }
    if (length > MOST_MESSAGE) {
        length = MOST_MESSAGE;
        while (length > 0 && ((unsigned char)bytes[length] & 0xC0) == 0x80)
            length--;
    }
    char *kept = malloc(length + 1);
    if (!kept)
        return JS_NewString(js, "");
    memcpy(kept, bytes, length);
    for (size_t place = 0; place + 2 < length; place++)
        if ((unsigned char)kept[place] == 0xED && (unsigned char)kept[place + 1] >= 0xA0)
            memcpy(kept + place, "\xEF\xBF\xBD", 3);
    return JS_NewStringLen(js, kept, length);
}

/* What was thrown, as an answer. */
static uint64_t thrown(JSContext *js, JSValueConst reason, const char *kind)
{
    if (JS_IsNull(reason) && ran_out)
        return no_memory(); /* there was not even memory for an error */
    if (!JS_IsError(reason))
        return refusal(js, kind, cut(js, as_message(js, reason)), 0, false);
    JSValue retry = property(js, reason, "retry");
    JSValue stack = property(js, reason, "stack");
    const char *trace = JS_IsString(stack) ? JS_ToCString(js, stack) : NULL;
    JSValue name = property(js, reason, "name"), message = property(js, reason, "message");
    if (JS_IsString(name)) {
        const char *said = JS_ToCString(js, name);
        if (said && strcmp(said, "InternalError") == 0 && JS_IsString(message)) {
            const char *which = JS_ToCString(js, message);
            if (which && strcmp(which, "out of memory") == 0)
                return no_memory();
        }
        if (said && strcmp(said, "RangeError") == 0 && JS_IsString(message)) {
            const char *which = JS_ToCString(js, message);
            if (which && strcmp(which, "Maximum call stack size exceeded") == 0)
                kind = "stack";
        }
    }
    return refusal(js, kind, cut(js, as_message(js, reason)), trace ? line_of(trace) : 0,
                   JS_IsBool(retry) && JS_ToBool(js, retry));
}

/* How deeply a JSON text is nested, and whether half a surrogate pair stands in it: such a one, alone, is escaped. */
static int depth_of(const char *text, size_t length, bool *has_half)
{
    int depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t place = 0; place < length; place++) {
        char at = text[place];
        if (in_string) {
            if (at == '\\') {
                place++;
                if (length - place > 2 && text[place] == 'u' && text[place + 1] == 'd' && text[place + 2] > '7')
                    *has_half = true;
            } else if (at == '"')
                in_string = false;
        } else if (at == '"')
            in_string = true;
        else if (at == '[' || at == '{')
            deepest = ++depth > deepest ? depth : deepest;
        else if (at == ']' || at == '}')
            depth--;
    }
    return deepest;
}

/* A JSON text as an answer: `{"ok": ...}`, of code `{"ok": {"value": ...}}`. */
static uint64_t framed(const char *text, size_t length)
{
    static const char plain[] = "{\"ok\":", wrapped[] = "{\"ok\":{\"value\":";
    size_t before = IS_PLUGIN ? sizeof(plain) - 1 : sizeof(wrapped) - 1, after = IS_PLUGIN ? 1 : 2;
    char *whole = malloc(before + length + after);
    if (!whole)
        return no_memory();
    memcpy(whole, IS_PLUGIN ? plain : wrapped, before);
    memcpy(whole + before, text, length);
    memcpy(whole + before + length, "}}", after);
    return packed(whole, before + length + after);
}

/* A value of the user's, as an answer. */
static uint64_t returned(JSContext *js, JSValueConst value)
{
    if (JS_IsUndefined(value))
        return framed("null", 4);
    JSValue text = JS_JSONStringify(js, value, JS_UNDEFINED, JS_UNDEFINED);
    if (JS_IsException(text))
        return thrown(js, JS_GetException(js), "result");
    if (!JS_IsString(text))
        return refused(js, "result", "it returned what is no JSON value, such as a function or a symbol");
    size_t length;
    const char *bytes = JS_ToCStringLen(js, &length, text);
    if (!bytes)
        return no_memory();
    bool has_half = false;
    if (depth_of(bytes, length, &has_half) > DEEPEST)
        return refused(js, "result", "it returned a value that is nested more than 100 levels deep");
    if (has_half)
        return refused(js, "result", "it returned text with half a character (a lone surrogate)");
    return framed(bytes, length);
}

/* ---- What the script may ask of the host ---- */

static JSValue js_log(JSContext *js, JSValueConst self, int count, JSValueConst *values)
{
    (void)self, (void)count;
    int32_t level;
    size_t length;
    if (JS_ToInt32(js, &level, values[0]))
        return JS_EXCEPTION;
    const char *text = JS_ToCStringLen(js, &length, values[1]);
    if (!text)
        return JS_EXCEPTION;
    host_log(level, text, length);
    JS_FreeCString(js, text);
    return JS_UNDEFINED;
}

static JSValue js_ask(JSContext *js, JSValueConst self, int count, JSValueConst *values, int which)
{
    (void)self, (void)count;
    size_t length;
    const char *text = JS_ToCStringLen(js, &length, values[0]);
    if (!text)
        return JS_EXCEPTION;
    uint64_t answer = which == 0 ? host_http(text, length) : host_kv(text, length);
    JS_FreeCString(js, text);
    return JS_NewStringLen(js, (const char *)(uintptr_t)(answer >> 32), (uint32_t)answer);
}

/* ---- A request ---- */

static uint64_t seed_of(const char *text, size_t length)
{
    uint64_t hash = 14695981039346656037ull; /* FNV-1a, 64 bits */
    for (size_t place = 0; place < length; place++)
        hash = (hash ^ (unsigned char)text[place]) * 1099511628211ull;
    return hash % 4000000000000000ull + 1; /* microseconds that every clock can show */
}

static JSContext *new_context(JSRuntime *runtime)
{
    JSContext *js = JS_NewContextRaw(runtime);
    if (!js || JS_AddIntrinsicBaseObjects(js) || JS_AddIntrinsicDate(js) || JS_AddIntrinsicEval(js)
        || JS_AddIntrinsicRegExp(js) || JS_AddIntrinsicJSON(js) || JS_AddIntrinsicProxy(js)
        || JS_AddIntrinsicMapSet(js) || JS_AddIntrinsicTypedArrays(js) || JS_AddIntrinsicPromise(js)
        || JS_AddIntrinsicWeakRef(js) || JS_AddIntrinsicAToB(js))
        return NULL;
    return js;
}

static JSValue evaluated(JSContext *js, const char *text, size_t length, const char *name, int line)
{
    JSEvalOptions options = {JS_EVAL_OPTIONS_VERSION, JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_STRICT, name, line};
    return JS_Eval2(js, text, length, &options);
}

/* The user's code as a function. */
static JSValue function_of(JSContext *js, const char *code, size_t length)
{
    static const char before[] = "(async function (input) {", after[] = "\n})";
    char *text = malloc(sizeof(before) + length + sizeof(after));
    if (!text)
        return JS_ThrowOutOfMemory(js);
    memcpy(text, before, sizeof(before) - 1);
    memcpy(text + sizeof(before) - 1, code, length);
    memcpy(text + sizeof(before) - 1 + length, after, sizeof(after));
    return evaluated(js, text, sizeof(before) - 1 + length + sizeof(after) - 1, "code", FIRST_LINE);
}

static uint64_t settled(JSContext *js, JSValue value)
{
    if (JS_IsException(value))
        return thrown(js, JS_GetException(js), "thrown");
    JSContext *where;
    int ran;
    while ((ran = JS_ExecutePendingJob(JS_GetRuntime(js), &where)) > 0)
        ;
    if (ran < 0)
        return thrown(where, JS_GetException(where), "thrown");
    switch (JS_PromiseState(js, value)) {
    case JS_PROMISE_PENDING:
        return refused(js, "result", "it awaits what never comes: its promise is never settled");
    case JS_PROMISE_REJECTED:
        return thrown(js, JS_PromiseResult(js, value), "thrown");
    case JS_PROMISE_FULFILLED:
        return returned(js, JS_PromiseResult(js, value));
    default:
        return returned(js, value);
    }
}

static uint64_t run_code(JSContext *js, JSValueConst parameters)
{
    size_t length;
    JSValue code = property(js, parameters, "code");
    const char *text = JS_IsString(code) ? JS_ToCStringLen(js, &length, code) : NULL;
    if (!text)
        return refused(js, "request", "there is no code in the request");
    JSValue function = function_of(js, text, length);
    if (JS_IsException(function))
        return thrown(js, JS_GetException(js), "syntax");
    if (!JS_IsFunction(js, function))
        return refused(js, "syntax", "it is no body of a function: a brace is closed that was not opened");
    if (JS_ToBool(js, property(js, parameters, "only_compile")))
        return framed("null", 4);
    JSValue input = property(js, parameters, "input");
    return settled(js, JS_Call(js, function, JS_UNDEFINED, 1, (JSValueConst *)&input));
}

static uint64_t run_plugin(JSContext *js, JSValueConst request, JSValueConst dispatch)
{
    const char *script = (const char *)(uintptr_t)penstock_script.start;
    JSValue done = evaluated(js, script, penstock_script.length, "code", 1);
    if (JS_IsException(done))
        return thrown(js, JS_GetException(js), "thrown");
    JSValue given[] = {
        property(js, request, "node"), property(js, request, "parameters"), property(js, request, "context"),
    };
    return settled(js, JS_Call(js, dispatch, JS_UNDEFINED, 3, (JSValueConst *)given));
}

/* Nanoseconds since 1970 of a time as ISO 8601; 0 where it is none. */
static uint64_t moment_of(JSContext *js, JSValueConst text)
{
    JSValue global = JS_GetGlobalObject(js), date = property(js, global, "Date");
    JSValue found = JS_Invoke(js, date, JS_NewAtom(js, "parse"), 1, &text);
    double milliseconds = 0;
    if (JS_IsException(found) || JS_ToFloat64(js, &milliseconds, found))
        JS_FreeValue(js, JS_GetException(js));
    return milliseconds > 0 && milliseconds < 1e13 ? (uint64_t)milliseconds * 1000000 : 0;
}

EXPORTED("penstock_abi") int32_t penstock_abi(void)
{
    return 1;
}

EXPORTED("penstock_alloc") void *penstock_alloc(uint32_t length)
{
    return malloc(length ? length : 1);
}

EXPORTED("penstock_call") uint64_t penstock_call(const char *text, uint32_t length)
{
    now_nanoseconds = seed_of(text, length) * 1000;
    JSRuntime *runtime = JS_NewRuntime2(&memory, NULL);
    if (!runtime)
        return no_memory();
    JS_SetMaxStackSize(runtime, MOST_STACK);
    JSContext *js = new_context(runtime);
    if (!js)
        return no_memory();
    char *whole = malloc((size_t)length + 1); /* the parser wants a zero behind its text */
    if (!whole)
        return no_memory();
    memcpy(whole, text, length);
    whole[length] = 0;
    JSValue request = JS_ParseJSON(js, whole, length, "request");
    if (JS_IsException(request))
        return thrown(js, JS_GetException(js), "request");
    JSValue parameters = property(js, request, "parameters");
    now_nanoseconds = moment_of(js, property(js, IS_PLUGIN ? property(js, request, "context") : parameters, "now"));
    JSValue given[] = {
        JS_NewCFunction(js, js_log, "log", 2),
        JS_NewCFunctionMagic(js, js_ask, "http", 1, JS_CFUNC_generic_magic, 0),
        JS_NewCFunctionMagic(js, js_ask, "kv", 1, JS_CFUNC_generic_magic, 1),
        JS_NewBool(js, IS_PLUGIN),
    };
    JSValue begin = evaluated(js, prelude, sizeof(prelude) - 1, "prelude", 1);
    JSValue dispatch = JS_Call(js, begin, JS_UNDEFINED, 4, (JSValueConst *)given);
    if (JS_IsException(dispatch))
        return thrown(js, JS_GetException(js), "request");
    return IS_PLUGIN ? run_plugin(js, request, dispatch) : run_code(js, parameters);
}
