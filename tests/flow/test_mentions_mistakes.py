"""What is refused in an expression, each with the right spelling."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.flow.mentions import Analysis, analyse

NAMES = frozenset({"trigger", "inputs", "vars", "execution"})
HERE = "Names here: trigger, inputs, vars, steps, errors, execution."
EQUALS, AND, OR, NOT = "`==` is `=`", "`&&` is `and`", "`||` is `or`", "`!x` is `$not(x)`"
JOIN, LENGTH = "text is joined with `&`", "`x.length` is `$count(x)`"


def likewise(*others: str) -> str:
    return f"(Likewise: {', '.join(others)}.)"


@pytest.mark.parametrize(
    ("text", "offset", "what", "do"),
    [
        # The messages of the reference, word for word.
        ("trigger.a == 1", 10, "`==` is not JSONata.", f"Write one `=`. {likewise(AND, OR, NOT, JOIN, LENGTH)}"),
        ("trigger.headers.content-type", 16, "`content-type` means `content` minus `type`.", "Quote the name: trigger.headers.'content-type'."),
        ('trigger.headers["content-type"]', 8, '`headers["content-type"]` filters the headers; it does not look up a name.', "Write headers.'content-type'."),
        ("trigger.rows[sku = steps.stock.sku]", 19, "Inside [ ], `steps` is a field of each row.", "For the step write `$steps.stock.sku`; for the field `$.steps`."),
        ("HOME", 0, "Unknown name `HOME`.", f"For a literal ${{HOME}} write $${{HOME}}. {HERE}"),
        # Their likes.
        ("trigger.a && inputs.b", 10, "`&&` is not JSONata.", f"Write `and`. {likewise(EQUALS, OR, NOT, JOIN, LENGTH)}"),
        ("trigger.a || inputs.b", 10, "`||` is not JSONata.", f"Write `or`. {likewise(EQUALS, AND, NOT, JOIN, LENGTH)}"),
        ("!trigger.a", 0, "`!` is not JSONata.", f"Write $not(x). {likewise(EQUALS, AND, OR, JOIN, LENGTH)}"),
        ("trigger.a === 1", 10, "`===` is not JSONata.", f"Write one `=`. {likewise(AND, OR, NOT, JOIN, LENGTH)}"),
        ("trigger.a !== 1", 10, "`!==` is not JSONata.", f"Write `!=`, or $not(x = y). {likewise(EQUALS, AND, OR, NOT, JOIN, LENGTH)}"),
        ("2 ** 3", 2, "`**` is not JSONata.", f"Write $power(x, y). {likewise(EQUALS, AND, OR, NOT, JOIN, LENGTH)}"),
        ("$map(trigger.rows, row => row.x)", 23, "`=>` is not JSONata.", f"Write function($x) {{ ... }}. {likewise(EQUALS, AND, OR, NOT, JOIN, LENGTH)}"),
        ("'Hi ' + trigger.name", 6, "`+` adds numbers.", f"Join text with `&`. {likewise(EQUALS, AND, OR, NOT, LENGTH)}"),
        ("trigger.name + ' hi'", 13, "`+` adds numbers.", f"Join text with `&`. {likewise(EQUALS, AND, OR, NOT, LENGTH)}"),
        ("trigger.a & inputs.b + trigger.c", 21, "`+` adds numbers.", f"Join text with `&`. {likewise(EQUALS, AND, OR, NOT, LENGTH)}"),
        ("trigger.rows.length", 13, "`.length` is not JSONata.", f"Write $count(trigger.rows), of text $length(trigger.rows); a field of that name is trigger.rows.'length'. {likewise(EQUALS, AND, OR, NOT, JOIN)}"),
        ("trigger.name.toUpperCase()", 13, "`.toUpperCase()` is not JSONata.", "Write $uppercase(trigger.name)."),
        ("trigger.rows.map(1)", 13, "`.map()` is not JSONata.", "Write trigger.rows.( ... )."),
        ("trigger.x.frobnicate()", 10, "`.frobnicate()` is not JSONata.", "Functions are called as $name(trigger.x)."),
        ("uppercase(trigger.x)", 0, "`uppercase( )` is not JSONata.", "Write $uppercase( )."),
        ("trigger.headers.x-github-event = 'push'", 16, "`x-github-event` means `x` minus `github` minus `event`.", "Quote the name: trigger.headers.'x-github-event'."),
        ("trigger.rows[content-type = 1]", 13, "`content-type` means `content` minus `type`.", "Quote the name: $.'content-type'."),
        ("steps.my-step.x", 6, "`my-step` means `my` minus `step`.", "An id has no dash; perhaps steps.my_step."),
        ("trigger.a-inputs.b", 8, "`a-inputs` means `a` minus `inputs`.", "Put spaces around the minus: a - inputs."),
        ('$trigger["x"]', 0, '`$trigger["x"]` filters the $trigger; it does not look up a name.', "Write $trigger.'x'."),
        ("$merge(trigger.rows)['x']", 21, "`['x']` filters; it does not look up a name.", "Write .'x'."),
        ("trigger.rows[\"it's\"]", 8, '`rows["it\'s"]` filters the rows; it does not look up a name.', "Write rows.`it's`."),
        ("trigger.rows.{'t': trigger.x}", 19, "Inside .{ }, `trigger` is a field of each row.", "For the trigger write `$trigger.x`; for the field `$.trigger`."),
        ("trigger.rows.(inputs.a)", 14, "Inside .( ), `inputs` is a field of each row.", "For the inputs write `$inputs.a`; for the field `$.inputs`."),
        ("trigger.rows^(errors.a)", 14, "Inside ^( ), `errors` is a field of each row.", "For the error write `$errors.a`; for the field `$.errors`."),
        ("trigger.rows.$sum(vars.x)", 18, "Inside .$f( ), `vars` is a field of each row.", "For the vars write `$vars.x`; for the field `$.vars`."),
        ("steps", 0, "`steps` alone is every step at once.", "Name the step: steps.<id>."),
        ("$keys(steps)", 6, "`steps` alone is every step at once.", "Name the step: steps.<id>."),
        ("steps[0]", 0, "`steps` alone is every step at once.", "Name the step: steps.<id>."),
        ("steps.*", 0, "`steps` alone is every step at once.", "Name the step: steps.<id>."),
        ("errors", 0, "`errors` alone is every error at once.", "Name the step: errors.<id>."),
        ("trigger.rows[x = $steps]", 17, "`steps` alone is every step at once.", "Name the step: steps.<id>."),
        ("'steps'.a", 0, "A path cannot begin with a text in quotes.", "Write its first name without quotes."),
        ("'steps'[0].a", 0, "A path cannot begin with a text in quotes.", "Write its first name without quotes."),
        ("'steps'^(x).a", 0, "A path cannot begin with a text in quotes.", "Write its first name without quotes."),
        ("2.a", 0, "A path cannot begin with a value.", "Write the name it begins with."),
        ("$", 0, "`$` is everything at once here.", f"Name what you mean. {HERE}"),
        ("$.trigger", 0, "`$` is everything at once here.", f"Name what you mean. {HERE}"),
        ("$$.steps.a", 0, "`$$` is everything at once.", f"Name what you mean. {HERE}"),
        ("trigger.rows[$$.steps.a]", 13, "`$$` is everything at once.", f"Name what you mean. {HERE}"),
        ("$map([1], function($x) { $ })", 25, "`$` is everything at once here.", f"Name what you mean. {HERE}"),
        ("*", 0, "`*` is everything at once here.", f"Name what you mean. {HERE}"),
        ("**", 0, "`**` reaches everything at once.", f"Name what you mean. {HERE}"),
        ("trigger.**.x", 8, "`**` reaches everything at once.", f"Name what you mean. {HERE}"),
        ("trigger.rows.%", 13, "`%`, the parent, reaches out of what it stands in.", f"Name what you mean. {HERE}"),
        ("trigger.rows@$r.x", 12, "`@` reaches out of what it stands in.", "Write $map(list, function($v) { ... })."),
        ("trigger./x/", 8, "JSONata does not expect `/x/` here.", "Compare it with what stands before it."),
        ("$keys()", 0, "`$keys` without an argument takes everything at once.", "Say of what: $keys(x)."),
        ("$lookup('steps')", 0, "`$lookup` without an argument takes everything at once.", "Say of what: $lookup(x)."),
        ("{name: 1}", 1, "The key `name` has no quotes, so it is a path.", 'Write {"name": ...}.'),
        ("trigger.rows.{sku: qty}", 14, "The key `sku` has no quotes, so it is a path.", 'Write {"sku": ...}.'),
        ("$uppercse(trigger.x)", 0, "There is no function `$uppercse`.", "Did you mean `$uppercase`?"),
        ("$UPPERCASE(trigger.x)", 0, "There is no function `$UPPERCASE`.", "Did you mean `$uppercase`?"),
        ("$zzz(1)", 0, "There is no function `$zzz`.", "The functions are those of JSONata, and ours: see the page on expressions."),
        ("$qqq", 0, "There is no variable `$qqq`.", "Bind it first: `$name := ...`."),
        ("($total := 1; $totl)", 14, "There is no variable `$totl`.", "Did you mean `$total`?"),
        ("(($x := 1; $x); $x)", 16, "`$x` is bound inside other brackets only.", "Bind it in the brackets that use it."),
        ("$eval('1')", 0, "`$eval` is refused: the result of an expression is never parsed again.", "Write the expression itself."),
        ("$shuffle([1])", 0, "`$shuffle` is refused: an execution must come out the same every time.", "Take the list as it is, or $sort(list)."),
        ("tigger.x", 0, "Unknown name `tigger`. Did you mean `trigger`?", HERE),
        ("body.x", 0, "Unknown name `body`.", f"What the sender sent is `trigger.body`, `trigger.headers`, `trigger.query`. {HERE}"),
        ("item.x", 0, "Unknown name `item`.", f"It is known only inside a `foreach`: in its steps and its `output`. {HERE}"),
        ("$map(trigger.rows, function($r) { r.x })", 34, "Unknown name `r`.", "Variables have a dollar: `$r`."),
        ("trigger.true", 8, "`true` is a value, not a name.", "Quote the name: .'true'."),
        ("trigger.1", 8, "`1` is a number, not a name.", "Quote the name: .'1', or [1] for the item at 1."),
        ("", 0, "The expression is empty.", "Write a value between ${ and }; a literal ${ is $${."),
        (" /* nothing */ ", 0, "The expression is empty.", "Write a value between ${ and }; a literal ${ is $${."),
        ("'a'(trigger.x)", 3, "Only a function can be called.", "Put an operator before the bracket."),
        ("trigger.x > 007", 13, "JSONata does not expect `0` here.", "Compare it with what stands before it."),
        ("(trigger.a", 10, "The expression ends too early: `)` is missing.", "Close it with `)`."),
        ("trigger.", 8, "The expression ends with a dot.", "Write the name that belongs after it."),
        ("trigger.a trigger.b", 10, "JSONata does not expect `trigger` here.", "Compare it with what stands before it."),
        ("trigger.a)", 9, "JSONata does not expect `)` here.", "Compare it with what stands before it."),
        ("trigger.a & 'x", 12, "Here begins a text that never ends: 'x", "Close it."),
        ("trigger.a \\ 1", 10, "JSONata has no use for `\\`.", "Take it out, or put it in quotes."),
        ("trigger.a := 1", 10, "`:=` binds a variable.", "Write $name := value; to compare, one `=`."),
        ("(" * 101 + "1" + ")" * 101, 100, "This is nested more than 100 deep.", "Compute parts of it in `set` steps of their own."),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_the_right_spelling(text: str, offset: int, what: str, do: str):
    found = analyse(text, NAMES).mistakes
    assert [(m.offset, m.what, m.do) for m in found] == [(offset, what, do)]


@pytest.mark.parametrize(
    ("text", "offset", "what", "do"),
    [
        ("trigger.x != 'done'", 10, "`!=` is false when the value is missing.", "Write $not(trigger.x = 'done')."),
        ("trigger.rows[x != 1]", 15, "`!=` is false when the value is missing.", "Write $not(x = 1)."),
        ("trigger.x = inputs.y ?? 1", 21, "`??` stands for the whole comparison before it, which is never missing.", "Put brackets around what may be missing: x = (y ?? z)."),
    ],
)  # fmt: skip
def test_what_is_probably_not_meant_is_a_warning(text: str, offset: int, what: str, do: str):
    analysis = analyse(text, NAMES)
    assert analysis.mistakes == ()
    assert [(m.offset, m.what, m.do) for m in analysis.warnings] == [(offset, what, do)]


@pytest.mark.parametrize(
    "text",
    [
        "trigger.headers.'content-type'", "trigger.a - inputs.b", "trigger.total-1", "$count(trigger.rows)-1", "trigger.rows[length > 1]",
        "trigger.parcel.'length'", "trigger.length.x", "trigger.rows{sku: $sum(qty)}", "trigger.rows[$ > 1]", "trigger.rows.*", "trigger.rows.$keys()",
        "trigger ~> $keys()", "trigger ~> $keys", "trigger.rows[`steps` = 1]", "trigger.rows[$.steps = 1]", "$not(trigger.x = 1)", "1 != 2",
        "{'a': 1, $string(2): 3}", "trigger.rows#$i[$i = y].{'i': $i}", "trigger.rows ~> |$|{'x': 1}, ['y']|", "$map(trigger.rows, $string)",
        "trigger.a in ['x', 'y'] and trigger.b or trigger.in", "7 % 2 * 3", "trigger.rows[*]", "trigger.s ~> /x/", "1..3", "()", "trigger.a ?: 1",
        "trigger.a ? 1", "- - 1", "trigger.x + 1 + 2", "'a' & (1 + 2)", "trigger.'a b' + 1",
    ],
)  # fmt: skip
def test_what_is_right_is_not_refused(text: str):
    assert analyse(text, NAMES).mistakes == ()


def test_several_mistakes_are_said_at_once_in_their_order():
    found = analyse("trigger.a == 1 && tigger.b || !trigger.c.length", NAMES).mistakes
    assert [m.offset for m in found] == [10, 15, 18, 27, 30, 41]


def test_after_a_mistake_there_is_no_path():
    assert analyse("trigger.x.length", NAMES).path is None


pieces = st.lists(
    st.sampled_from(["steps", ".", "a", "$", "$$", "steps.a", "$steps.b", "trigger", "[", "]", "(", ")", "{", "}", "'x'", '"', "'", "`", "/", "/*", "*/", "*", "**", "%", "?", ":", ":=", "??", "?:", "~>", "|", "^(", "<", ">", "=", "==", "!", "!=", "&", "&&", "||", "=>", "+", "-", "1", "1.5", "0", ",", ";", "@$v", "#$i", "$v", "function($x){", "λ", "and", "in", "true", " ", "\n", "\\", "$default(", "$exists(", "..", "-b", "length", "x(", "😀"]),
    max_size=40,
)  # fmt: skip


@given(st.one_of(pieces.map("".join), pieces.map(" ".join), st.text(max_size=80)))
@settings(max_examples=3000, deadline=None)
def test_any_text_is_analysed(text: str):
    analysis = analyse(text, NAMES)
    assert isinstance(analysis, Analysis)
    for note in (*analysis.mistakes, *analysis.warnings):
        assert note.what
        assert note.do
        assert 0 <= note.offset <= len(text)
    for mention in analysis.mentions:
        assert text[mention.offset :].lstrip("$`").startswith(mention.kind)
    if not text.strip():
        assert analysis.mistakes


@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "[",
        "{",
        "-",
        "!",
        "a.",
        "a[0]",
        "$x(",
        "a ?? ",
        "a ? b : ",
        "1 + ",
        "function($x){",
        "a.(",
        "'",
        "/",
        "/*",
        "`",
        "steps.a ?? ",
        "$default(",
        "a-",
        "$q ",
        "|",
        "a^(",
        "?",
        "\\",
        "trigger.b.",
        "x=>",
        "a == ",
    ],
)
def test_a_piece_repeated_ten_thousand_times_is_answered(piece: str):
    analysis = analyse(piece * 10_000, NAMES)
    assert analysis.mistakes
