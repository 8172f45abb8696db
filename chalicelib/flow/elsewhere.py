"""What other tools call the things of a flow file, and what they are called here: n8n, GitHub Actions, Step Functions.

Only messages read these tables; a word that is known here never reaches them.
"""

import re
from collections.abc import Mapping

_TO_STEPS = "The steps stand under `steps`, each under its id."
_TO_TRIGGERS = "What starts a flow stands under `triggers`."
_TO_AFTER = "What a step waits for stands in `after`: after: {value}."
_TO_WITH = "A node's own parameters stand under `with`."
_TO_USES = "Which node it is stands in `uses`."
_TO_IF = 'A condition stands in `if`: if: "${ ... }".'
_TO_RETRY = "Write retry: {attempts: 3, first: 5s}."
_TO_CREDENTIAL = "Name a stored one: credential: <name>."

FLOW_KEYS: Mapping[str, str] = {
    "name": "The flow's name stands in `flow`: flow: <name>.",
    "id": "The flow's name stands in `flow`: flow: <name>.",
    "title": "The flow's name stands in `flow`; say more in `description`.",
    **dict.fromkeys(("on", "true", "trigger", "events", "schedule", "schedules", "webhook", "cron"), _TO_TRIGGERS),
    **dict.fromkeys(("jobs", "nodes", "tasks", "states", "step", "actions", "do", "pipeline"), _TO_STEPS),
    **dict.fromkeys(
        ("env", "variables", "constants", "const"),
        "Values that are not secret stand under `vars`; a secret never does.",
    ),
    **dict.fromkeys(("secrets", "credentials"), "A flow holds no secret: a step names one with `credential: <name>`."),
    "connections": "There are no connections: a step waits for what it mentions, and for what `after` names.",
    "start_at": "There is no first step: what waits for nothing starts at once.",
    **dict.fromkeys(("outputs", "result", "return", "returns"), "What the flow gives stands in `output`."),
    **dict.fromkeys(("on_error", "catch", "errors"), "Steps that run when the flow fails: `on_failure`."),
    **dict.fromkeys(("params", "parameters", "arguments"), "What the flow works on stands under `inputs`."),
    "timeout": "The whole flow's limit is `deadline`: deadline: 1h.",
    "tz": "Write `timezone`.",
}

STEP_KEYS: Mapping[str, str] = {
    **dict.fromkeys(
        ("needs", "depends_on", "depends", "requires", "wait_for", "run_after", "previous"),
        _TO_AFTER,
    ),
    **dict.fromkeys(
        ("next", "then", "on_success", "goto"),
        "A step names what it waits for: write `after: {step}` at the step that follows.",
    ),
    **dict.fromkeys(("type", "node", "action", "resource", "kind", "task", "do"), _TO_USES),
    **dict.fromkeys(("parameters", "params", "args", "arguments", "inputs", "input", "options", "config"), _TO_WITH),
    **dict.fromkeys(("when", "condition", "only_if", "unless"), _TO_IF),
    **dict.fromkeys(("retries", "max_retries", "retry_on_fail", "max_attempts"), _TO_RETRY),
    **dict.fromkeys(
        ("continue_on_error", "continue_on_fail", "ignore_errors", "allow_failure"), "Write on_error: continue."
    ),
    **dict.fromkeys(("catch", "on_failure"), "Let the steps that act on a failure say `after: {step}.error`."),
    **dict.fromkeys(("timeout_minutes", "timeout_seconds", "time_limit"), "Write `timeout` with a unit: timeout: 5m."),
    **dict.fromkeys(("credentials", "secret", "secrets", "auth", "token"), _TO_CREDENTIAL),
    **dict.fromkeys(("env", "environment"), "Values stand under the flow's `vars`, a node's parameters under `with`."),
    "id": "A step's id is the key it stands under.",
    **dict.fromkeys(("title", "label", "description", "comment"), "What it is called stands in `name`."),
    **dict.fromkeys(
        ("loop", "for_each", "foreach", "with_items", "items"),
        "Write a step that uses: foreach, and put this one into its `steps`.",
    ),
    **dict.fromkeys(("outputs", "returns"), "A step's value is what its node gives; `set` makes one of your own."),
}

TRIGGER_KEYS: Mapping[str, str] = {
    **dict.fromkeys(("type", "node", "kind"), "Which trigger it is stands in `uses`."),
    **dict.fromkeys(
        ("parameters", "params", "cron", "every", "timezone", "method", "config"),
        "It stands under `with`: with: {{key}: ...}.",
    ),
    **dict.fromkeys(("when", "condition", "filter"), _TO_IF),
    **dict.fromkeys(("secret", "signature", "auth", "scheme"), "Write verify: {scheme: github, credential: <name>}."),
    **dict.fromkeys(("response", "respond_with"), "Write respond: accepted, result or step."),
    "path": "Its address is made of the flow's name and the trigger's id.",
    **dict.fromkeys(("id", "name"), "A trigger's id is the key it stands under."),
}

CAP_KEYS: Mapping[str, str] = {
    **dict.fromkeys(("limit", "count", "most", "max_concurrent"), "How many at once stands in `max`."),
    **dict.fromkeys(("group", "lane", "by", "name"), 'What tells executions apart stands in `key`: "${ ... }".'),
    **dict.fromkeys(
        ("cancel_in_progress", "overlap", "policy", "queue"),
        "Whoever does not get in is queued; a schedule's `overlap` stands at its trigger.",
    ),
}

NODES: Mapping[str, str] = {
    **dict.fromkeys(("cron", "timer", "schedule_trigger", "interval"), "schedule"),
    **dict.fromkeys(
        ("http", "fetch", "curl", "request", "http_request", "rest", "http.get", "http.post", "http.put"),
        "http.request",
    ),
    **dict.fromkeys(("delay", "sleep", "pause"), "wait"),
    **dict.fromkeys(("if", "condition", "choice", "branch", "case", "router"), "switch"),
    **dict.fromkeys(("loop", "for", "for_each", "each", "map", "split_in_batches", "parallel", "iterate"), "foreach"),
    **dict.fromkeys(("while", "until", "poll", "do_while"), "repeat"),
    **dict.fromkeys(("set_fields", "assign", "edit_fields", "pass", "variable", "transform", "template"), "set"),
    **dict.fromkeys(("stop", "throw", "raise", "stop_and_error"), "fail"),
    **dict.fromkeys(("approve", "manual_approval", "human_approval", "human", "review", "ask", "confirm"), "approval"),
    **dict.fromkeys(("wait_for_callback", "wait_for_webhook", "wait_for_event", "resume", "task_token"), "callback"),
    **dict.fromkeys(("error_trigger", "on_error", "failure", "workflow_run"), "error"),
    **dict.fromkeys(("subflow", "execute_workflow", "workflow", "flow", "subworkflow"), "call"),
    **dict.fromkeys(("respond_to_webhook", "response", "reply", "return"), "respond"),
    **dict.fromkeys(("slack", "slack.send", "slack.send_message", "slack.message"), "slack.post_message"),
    **dict.fromkeys(("openai", "chatgpt", "gpt", "llm", "openai.completion"), "openai.chat"),
    **dict.fromkeys(("filter",), "data.filter"),
    **dict.fromkeys(("sort",), "data.sort"),
    **dict.fromkeys(("merge", "join"), "data.merge"),
    **dict.fromkeys(("github.issue", "github.open_issue"), "github.create_issue"),
    **dict.fromkeys(
        ("code", "function", "script", "javascript", "js", "node", "code.js", "code.python", "python", "code.run"),
        "code.javascript",
    ),
    **dict.fromkeys(("form", "start", "workflow_dispatch", "manual_trigger"), "manual"),
}

NAMES: Mapping[str, str] = {
    **dict.fromkeys(("item", "index", "items"), "It is known only inside a `foreach`: in its steps and its `output`."),
    **dict.fromkeys(
        ("last", "round"), "It is known only inside a `repeat`: in its steps, its `until` and its `output`."
    ),
    "failure": "It is known only in the steps under `on_failure`.",
    **dict.fromkeys(
        ("secrets", "secret", "credentials", "credential"),
        "No expression sees a secret: write `credential: <name>` at the step.",
    ),
    **dict.fromkeys(
        ("env", "process", "environment"), "Values that are not secret stand under `vars`; a secret is a `credential`."
    ),
    **dict.fromkeys(
        ("body", "headers", "query", "payload", "event", "request", "github"),
        "What the sender sent is `trigger.body`, `trigger.headers`, `trigger.query`.",
    ),
    **dict.fromkeys(("None", "nil", "undefined", "NULL", "Null"), "Write null."),
    **dict.fromkeys(("True", "TRUE"), "Write true."),
    **dict.fromkeys(("False", "FALSE"), "Write false."),
    "not": "Write $not( ... ).",
    **dict.fromkeys(
        ("Math", "JSON", "Object", "Array", "Date", "String", "Number", "moment", "DateTime", "_"),
        "Functions are called by their names alone, as in $round(x), $string(x), $parse(text), $now().",
    ),
    **dict.fromkeys(("new", "await", "return", "typeof", "let", "const", "var", "lambda"), "Write the value itself."),
    **dict.fromkeys(("yes", "no", "on", "off"), "Text stands in quotes; true and false do not."),
    **dict.fromkeys(("AND", "OR", "NOT"), "Write `and`, `or` and `$not( ... )` in small letters."),
    **dict.fromkeys(
        ("workflow", "run"), "The execution is `execution`: execution.id, execution.url, execution.started_at."
    ),
}

VARIABLES: Mapping[str, str] = {
    **dict.fromkeys(
        ("json", "node", "input", "items", "item", "prevNode", "binary", "parameter"),
        "Name the step whose value you want: steps.<id>; what the trigger received is `trigger`.",
    ),
    **dict.fromkeys(("env", "vars"), "Values that are not secret stand under `vars`: vars.<name>."),
    **dict.fromkeys(("secrets", "credentials"), "No expression sees a secret: write `credential: <name>` at the step."),
    **dict.fromkeys(
        ("execution", "workflow"), "The execution is `execution`: execution.id, execution.url, execution.started_at."
    ),
    "today": "Write $day($now()).",
}

OPERATORS: Mapping[str, str] = {
    **dict.fromkeys(("is", "eq", "equals"), "Compare with one `=`."),
    **dict.fromkeys(("AND", "And"), "Write `and` in small letters."),
    **dict.fromkeys(("OR", "Or"), "Write `or` in small letters."),
    "not": "Write $not( ... ) around it.",
    **dict.fromkeys(("contains", "includes", "like", "matches"), "Write $contains(text, part), of a list: x in list."),
    **dict.fromkeys(("if", "then", "else"), "Write condition ? this : that."),
    **dict.fromkeys(("gt", "lt", "gte", "lte", "ne"), "Write `>`, `<`, `>=`, `<=`, or $not(x = y)."),
}

OWNERS = frozenset({"Math", "JSON", "Object", "Array", "Date", "String", "Number", "moment", "DateTime", "_"})
"""What JavaScript's functions hang on; the name itself is refused already."""

FUNCTIONS: Mapping[str, str] = {
    "if": "condition ? this : that",
    **dict.fromkeys(("len", "size"), "$count(list), of text $length(text)"),
    **dict.fromkeys(("str", "toString", "json", "stringify", "tojson", "toJSON", "dumps"), "$string( )"),
    **dict.fromkeys(("int", "float", "num", "parseInt", "parseFloat", "Number"), "$number( )"),
    **dict.fromkeys(("fromJSON", "parseJson", "loads"), "$parse( )"),
    **dict.fromkeys(("upper", "toUpper", "ucase"), "$uppercase( )"),
    **dict.fromkeys(("lower", "toLower", "lcase"), "$lowercase( )"),
    **dict.fromkeys(("isEmpty", "is_empty", "empty"), "$empty( )"),
    **dict.fromkeys(("ifEmpty", "coalesce", "nvl", "isnull", "ifnull"), "$default(x, instead)"),
    **dict.fromkeys(("concat", "strcat"), "a & b"),
    **dict.fromkeys(("includes", "startsWith", "endsWith", "has"), "$contains(text, part), of a list: x in list"),
    **dict.fromkeys(("formatDate", "dateFormat", "strftime", "toFormat"), '$date(time, "dd.MM.yyyy")'),
    **dict.fromkeys(("today", "currentDate"), "$day($now())"),
    **dict.fromkeys(("md5", "sha256"), '$hash(text, "sha256")'),
    **dict.fromkeys(("success", "failure", "always"), "what it waits for in `after`: step, step.error or step.settled"),
}

PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "foreach": dict.fromkeys(("items", "list", "array", "in", "each", "collection", "loop", "input"), "`over`"),
    "wait": {
        **dict.fromkeys(("seconds", "duration", "delay", "time", "amount"), "`for`, with a unit: for: 5s"),
        **dict.fromkeys(("minutes", "hours", "days"), "`for`, with a unit: for: 5m, 2h or 1d"),
    },
    "approval": {
        **dict.fromkeys(("question", "message", "prompt", "text", "title"), "`ask`"),
        **dict.fromkeys(("timeout", "expiry", "deadline", "expires_in", "ttl"), "`expires`"),
        **dict.fromkeys(("approvers", "reviewers", "assignees", "people", "users", "who", "to"), "`by`"),
    },
    "callback": {
        **dict.fromkeys(("timeout", "expiry", "deadline", "expires_in", "ttl"), "`expires`"),
        **dict.fromkeys(("heartbeat_seconds", "heartbeat_timeout", "keepalive"), "`heartbeat`, with a unit"),
    },
    "repeat": {
        **dict.fromkeys(("times", "count", "limit", "attempts", "max_rounds", "max_iterations"), "`max`"),
        **dict.fromkeys(("delay", "interval", "wait", "pause", "sleep"), "`every`"),
        **dict.fromkeys(("condition", "if", "break_if", "stop_if"), '`until`: until: "${ ... }"'),
        "while": '`until`, which is true when it ends: until: "${ $not( ... ) }"',
    },
    "call": {
        **dict.fromkeys(("workflow", "name", "subflow", "id"), "`flow`"),
        **dict.fromkeys(("params", "parameters", "arguments", "input", "data", "with"), "`inputs`"),
        **dict.fromkeys(("wait_for_completion", "sync", "await", "wait_for"), "`wait`: wait: true"),
    },
    "error": dict.fromkeys(("flow", "workflow", "workflows", "of", "on"), "`flows`"),
    "http.request": {
        **dict.fromkeys(("body", "data", "payload"), "`json`, `form`, `text` or `file`, by what the body is"),
        **dict.fromkeys(("params", "qs", "queryParameters", "query_params", "parameters"), "`query`"),
        **dict.fromkeys(("auth", "authentication", "token", "bearer"), "`credential: <name>` beside `with`"),
        **dict.fromkeys(("uri", "endpoint", "address"), "`url`"),
        **dict.fromkeys(("verb", "type"), "`method`"),
    },
    "slack.post_message": {
        **dict.fromkeys(("message", "msg", "content", "body"), "`text`"),
        **dict.fromkeys(("to", "room", "channelId"), "`channel`"),
        **dict.fromkeys(("token", "webhook_url"), "`credential: <name>` beside `with`"),
    },
    "respond": dict.fromkeys(("body", "data", "payload"), "`json`, `text` or `file`, by what the body is"),
    "github.create_issue": dict.fromkeys(("repo", "project"), "`repository`"),
    "switch": dict.fromkeys(("conditions", "rules", "case", "value", "expression", "choices"), "`cases`"),
    "schedule": dict.fromkeys(("expression", "rule", "interval", "rate"), "`cron` or `every`"),
}

_LONG_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*(seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|[smhdw])(?![a-z])")
_ISO_DURATION = re.compile(r"p(?:(\d+)d)?(?:t(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?)?")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


_KEYS = {"A flow": FLOW_KEYS, "A step": STEP_KEYS, "A trigger": TRIGGER_KEYS, "`concurrency`": CAP_KEYS}


def instead_of_key(where: str, key: str, value: object, step: str) -> str:
    """What to write instead of a key of another tool, empty where none is known; `step` is the id it stands under.

    `where` is how messages call the place: a flow, a step, a trigger, or the map below `concurrency`.
    """
    sentence = _KEYS.get(where, {}).get(plain(key), "")
    return sentence.replace("{value}", _as_written(value)).replace("{step}", step).replace("{key}", key)


def instead_of_node(name: str) -> str:
    """The node that does here what a node of this name does elsewhere; empty where none is known."""
    return NODES.get(plain(name.removeprefix("n8n-nodes-base.")), "")


def means_uses(key: str) -> bool:
    """Whether a key that is not known stands for `uses`."""
    return plain(key) in {"use", "uses"} or STEP_KEYS.get(plain(key), "") == _TO_USES


def instead_of_parameter(uses: str, name: str) -> str:
    """What a node calls a parameter that goes by this name elsewhere; empty where none is known."""
    return PARAMETERS.get(uses, {}).get(name, "")


def plain(word: str) -> str:
    """A word in the spelling of the tables: `dependsOn`, `depends-on` and `DependsOn` are `depends_on`."""
    return _CAMEL.sub("_", word[:80]).replace("-", "_").lower()


def _as_written(value: object) -> str:
    """A value as it may be written behind a key, where that is short."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):  # pyright: ignore[reportUnknownVariableType]
        text = f"[{', '.join(map(str, value))}]"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    else:
        text = value if isinstance(value, str) else "<step>"
    return text if 0 < len(text) <= 60 and "$" not in text else "<step>"


def meant_duration(value: object) -> str:
    """`5 seconds` and `PT5M` as flows write them: `5s`, `5m`; empty for what is no duration anywhere."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if iso := _ISO_DURATION.fullmatch(text):
        return "".join(f"{number}{unit}" for number, unit in zip(iso.groups(), "dhms", strict=True) if number)
    pieces = _LONG_UNIT.findall(text)
    if not pieces or _LONG_UNIT.sub("", text).replace("and", "").strip(" ,"):
        return ""
    return "".join(f"{number}{unit[0]}" for number, unit in pieces)
