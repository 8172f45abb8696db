"""Flows that between them meet every part of the protocol; what they send carries what they have read."""

from dataclasses import dataclass, field
from typing import Any

from chalicelib.errors import TimedOutError
from chalicelib.ports import HttpAnswer
from tests.worker.lives import Deed

BUSY = HttpAnswer(503, (), b"")
SLOW_DOWN = HttpAnswer(429, (("retry-after", "120"),), b"")
GONE = HttpAnswer(404, (), b"")


@dataclass(frozen=True)
class Story:
    text: str
    script: dict[str, list[Any]] = field(default_factory=dict)
    once: tuple[str, ...] = ()
    """Paths of at-most-once steps."""
    keyed: bool = False
    child: str = ""
    """Another flow that is published beside it."""
    deeds: tuple[Deed, ...] = ()
    """What people do meanwhile."""
    times: int = 1
    """So many executions of it at once."""
    varies: bool = False
    """How its steps end depends on the moment of a crash: what is unknown, or too late."""


CANON = {
    "linear": Story("""
flow: linear
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  shape: {uses: set, with: {n: "${ steps.read.body.n }"}}
  put: {uses: http.request, with: {method: PUT, url: "https://api.example/put", json: {n: "${ steps.shape.n }"}}}
  post: {uses: http.request, with: {method: POST, url: "https://api.example/post", json: {n: "${ steps.read.body.n }", p: "${ steps.put.body.path }"}}}
  last: {uses: set, with: {path: "${ steps.post.body.path }"}}
output: "${ steps.last.path }"
"""),
    "keyed": Story(
        """
flow: keyed
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  say: {uses: respond, with: {json: {n: "${ steps.read.body.path }"}}}
  post: {uses: http.request, with: {method: POST, url: "https://api.example/post", json: {n: "${ steps.read.body.n }"}}}
output: "${ steps.post.body.path }"
""",
        keyed=True,
    ),
    "apart": Story("""
flow: apart
steps:
  a: {uses: http.request, with: {url: "https://api.example/a"}}
  b: {uses: http.request, run: apart, with: {method: POST, url: "https://api.example/b", json: {n: "${ steps.a.body.n }"}}}
  c: {uses: http.request, run: apart, with: {method: PUT, url: "https://api.example/c", json: {n: "${ steps.a.body.n }"}}}
  d: {uses: http.request, with: {method: POST, url: "https://api.example/d", json: {b: "${ steps.b.body.path }", c: "${ steps.c.body.path }"}}}
output: "${ steps.d.body.path }"
"""),
    "retried": Story(
        """
flow: retried
steps:
  read: {uses: http.request, retry: {attempts: 3, first: 1s, cap: 1s}, with: {url: "https://api.example/read"}}
  post: {uses: http.request, retry: {attempts: 3}, with: {method: POST, url: "https://api.example/post", json: {n: "${ steps.read.body.n }"}}}
  side: {uses: http.request, retry: {attempts: 4, first: 10s}, with: {url: "https://api.example/side"}}
  put: {uses: http.request, with: {method: PUT, url: "https://api.example/put", json: {n: "${ steps.side.body.n }", m: "${ steps.post.body.path }"}}}
output: "${ steps.put.body.path }"
""",
        {"read": [BUSY], "post": [SLOW_DOWN], "side": [BUSY, SLOW_DOWN, BUSY]},
    ),
    "waiting": Story("""
flow: waiting
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  nap: {uses: wait, after: read, with: {for: 10m}}
  doze: {uses: wait, with: {for: 1s}}
  put: {uses: http.request, after: [nap, doze], with: {method: PUT, url: "https://api.example/put", json: {n: "${ steps.read.body.n }"}}}
output: "${ steps.put.body.path }"
"""),
    "loop": Story("""
flow: loop
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  each:
    uses: foreach
    with: {over: [1, 2, 3], concurrency: 2}
    steps:
      look: {uses: http.request, with: {url: "https://api.example/look/${ item }"}}
      put: {uses: http.request, with: {method: PUT, url: "https://api.example/put/${ item }", json: {n: "${ steps.look.body.n }", r: "${ steps.read.body.n }"}}}
      post: {uses: http.request, after: put, with: {method: POST, url: "https://api.example/post/${ item }", json: {n: "${ steps.look.body.n }"}}}
    output: "${ steps.post.body.path }"
  done: {uses: http.request, with: {method: POST, url: "https://api.example/done", json: {all: "${ steps.each.results }"}}}
output: "${ steps.each.results }"
"""),
    "nested": Story("""
flow: nested
steps:
  each:
    uses: foreach
    with: {over: [1, 2], concurrency: 2}
    steps:
      look: {uses: http.request, with: {url: "https://api.example/look/${ item }"}}
      inner:
        uses: foreach
        with: {over: [7, 8], as: row, concurrency: 1}
        steps:
          put: {uses: http.request, with: {method: PUT, url: "https://api.example/put/${ item }/${ row }", json: {n: "${ steps.look.body.n }"}}}
        output: "${ steps.put.body.path }"
      nap: {uses: wait, after: inner, with: {for: 30s}}
      post: {uses: http.request, after: nap, with: {method: POST, url: "https://api.example/post/${ item }", json: {all: "${ steps.inner.results }"}}}
    output: "${ steps.inner.results }"
output: "${ steps.each.results }"
"""),
    "failing": Story(
        """
flow: failing
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  beside: {uses: http.request, with: {method: POST, url: "https://api.example/beside", json: {n: "${ steps.read.body.path }"}}}
  boom: {uses: http.request, after: beside, with: {url: "https://api.example/boom"}}
  never: {uses: http.request, after: boom, with: {method: POST, url: "https://api.example/never"}}
on_failure:
  look: {uses: http.request, with: {url: "https://api.example/look"}}
  nap: {uses: wait, after: look, with: {for: 5m}}
  tell: {uses: http.request, after: nap, retry: {attempts: 3}, with: {method: POST, url: "https://api.example/tell", json: {n: "${ steps.look.body.n }", why: "${ failure.code }"}}}
  each:
    uses: foreach
    after: tell
    with: {over: [1, 2]}
    steps:
      warn: {uses: http.request, with: {method: POST, url: "https://api.example/warn/${ item }", json: {why: "${ failure.step }"}}}
""",
        {"boom": [GONE] * 99, "tell": [SLOW_DOWN]},
    ),
    "once": Story(
        """
flow: once
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  charge: {uses: http.request, effect: at_most_once, retry: {attempts: 3}, with: {method: POST, url: "https://api.example/charge", json: {n: "${ steps.read.body.n }"}}}
  cut: {uses: http.request, effect: at_most_once, retry: {attempts: 3}, with: {method: POST, url: "https://api.example/cut"}}
  good: {uses: set, with: {v: "${ steps.charge.body.path }"}}
  bad: {uses: http.request, after: charge.error, with: {method: PUT, url: "https://api.example/bad", json: {code: "${ errors.charge.code }"}}}
  worse: {uses: set, after: cut.error, with: {code: "${ errors.cut.code }"}}
output: "${ steps.good.v ?? 'unknown' }"
""",
        {"cut": [TimedOutError("no answer")]},
        once=("/charge", "/cut"),
        varies=True,
    ),
    "groups": Story("""
flow: groups
steps:
  a: {uses: http.request, with: {url: "https://api.example/a"}}
  b: {uses: http.request, with: {url: "https://api.example/b"}}
  way: {uses: switch, with: {cases: {small: "${ steps.a.body.path = '/nowhere' }"}}}
  one: {uses: set, after: way.small, with: {v: 1}}
  two: {uses: http.request, after: way.else, with: {method: PUT, url: "https://api.example/two", json: {n: "${ steps.a.body.n }"}}}
  either: {uses: set, after: {any: [one, two]}, with: {v: "${ steps.two.body.path ?? 'one' }"}}
  first: {uses: http.request, after: {first: [a, b]}, with: {method: POST, url: "https://api.example/first"}}
output: "${ steps.either.v }"
"""),
    "calling": Story(
        """
flow: calling
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  call: {uses: call, with: {flow: child, inputs: {n: "${ steps.read.body.path }"}}}
  post: {uses: http.request, with: {method: POST, url: "https://api.example/post", json: {id: "${ steps.call.id }"}}}
output: "${ steps.post.body.path }"
""",
        child="""
flow: child
inputs: {n: {type: string}, more: {type: number, default: 3}}
steps:
  put: {uses: http.request, with: {method: PUT, url: "https://api.example/child", json: {n: "${ inputs.n }", more: "${ inputs.more }"}}}
output: "${ steps.put.body.path }"
""",
    ),
    "every": Story(
        """
flow: every
durability: every
steps:
  big: {uses: set, with: {text: "${ $join($map([1..3000], function($i) { 'xxxxxxxxxx' })) }"}}
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  kept: {uses: set, with: {text: "${ steps.big.text }", n: "${ steps.read.body.n }"}}
  put: {uses: http.request, with: {method: PUT, url: "https://api.example/put", json: {n: "${ steps.kept.n }"}}}
output: {path: "${ steps.put.body.path }", text: "${ steps.kept.text }"}
"""
    ),
    "late": Story(
        """
flow: late
deadline: 20m
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  nap: {uses: wait, after: read, with: {for: 15m}}
  more: {uses: wait, after: nap, with: {for: 15m}}
  never: {uses: http.request, after: more, with: {method: POST, url: "https://api.example/never"}}
on_failure:
  tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell", json: {why: "${ failure.code }"}}}
""",
        varies=True,
    ),
    "wide": Story("""
flow: wide
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  each:
    uses: foreach
    with: {over: [1, 2, 3, 4, 5], concurrency: 4}
    steps:
      post: {uses: http.request, with: {method: POST, url: "https://api.example/post/${ item }", json: {n: "${ steps.read.body.n }"}}}
    output: "${ steps.post.body.path }"
  done: {uses: http.request, with: {method: PUT, url: "https://api.example/done", json: {all: "${ steps.each.results }"}}}
output: "${ steps.each.results }"
"""),
    "wide_waiting": Story("""
flow: wide_waiting
steps:
  each:
    uses: foreach
    with: {over: [1, 2, 3], concurrency: 2}
    steps:
      look: {uses: http.request, with: {url: "https://api.example/look/${ item }"}}
      nap: {uses: wait, after: look, with: {for: 5m}}
      put: {uses: http.request, after: nap, with: {method: PUT, url: "https://api.example/put/${ item }", json: {n: "${ steps.look.body.n }"}}}
    output: "${ steps.put.body.path }"
output: "${ steps.each.results }"
"""),
    "tolerated": Story(
        """
flow: tolerated
steps:
  each:
    uses: foreach
    with: {over: [1, 2, 3, 4, 5], concurrency: 2, tolerate: 2}
    steps:
      put: {uses: http.request, with: {method: PUT, url: "https://api.example/put/${ item }", json: {n: "${ item }"}}}
    output: "${ steps.put.body.path }"
  tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell", json: {bad: "${ steps.each.failed }"}}}
output: "${ steps.each.count }"
""",
        {"put/2": [GONE] * 9, "put/5": [GONE] * 9},
    ),
    "repeat": Story("""
flow: repeat
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  again:
    uses: repeat
    with: {until: "${ round >= 3 }", every: 30s, max: 5, collect: true}
    steps:
      post: {uses: http.request, with: {method: POST, url: "https://api.example/post/${ round }", json: {n: "${ steps.read.body.n }"}}}
    output: "${ steps.post.body.path }"
  put: {uses: http.request, with: {method: PUT, url: "https://api.example/done", json: {all: "${ steps.again.results }"}}}
output: "${ steps.again.results }"
"""),
    "answered": Story(
        """
flow: answered
steps:
  ask: {uses: http.request, with: {method: POST, url: "https://api.example/ask"}}
  reply: {uses: callback, after: ask, with: {expires: 2h}}
  put: {uses: http.request, after: reply.received, with: {method: PUT, url: "https://api.example/put", json: {n: "${ steps.reply.body.n }"}}}
output: "${ steps.put.body.path }"
""",
        deeds=(Deed("answer", "reply", "received", {"body": {"n": 7}, "headers": {}, "query": {}, "method": "POST"}),),
    ),
    "early": Story(
        """
flow: early
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  nap: {uses: wait, after: read, with: {for: 5m}}
  ok: {uses: approval, after: nap, with: {ask: "Go on?", expires: 2h}}
  post: {uses: http.request, after: ok.approved, with: {method: POST, url: "https://api.example/post", json: {n: "${ steps.read.body.n }", by: "${ steps.ok.by }"}}}
output: "${ steps.post.body.path }"
""",
        deeds=(Deed("answer", "ok", "approved", {"by": "Ann", "comment": "", "via": "link"}, is_early=True),),
    ),
    "expired": Story("""
flow: expired
steps:
  ok: {uses: approval, with: {ask: "Go on?", expires: 20m}}
  post: {uses: http.request, after: ok.approved, with: {method: POST, url: "https://api.example/post"}}
  else: {uses: http.request, after: ok.expired, with: {method: PUT, url: "https://api.example/else"}}
output: "${ steps.else.body.path }"
"""),
    "waited": Story(
        """
flow: waited
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  call: {uses: call, with: {flow: child, wait: true, inputs: {n: "${ steps.read.body.path }"}}}
  post: {uses: http.request, with: {method: POST, url: "https://api.example/post", json: {got: "${ steps.call }"}}}
output: "${ steps.post.body.path }"
""",
        child="""
flow: child
inputs: {n: {type: string}}
steps:
  put: {uses: http.request, with: {method: PUT, url: "https://api.example/child", json: {n: "${ inputs.n }"}}}
  nap: {uses: wait, after: put, with: {for: 3m}}
output: "${ steps.put.body.path }"
""",
    ),
    "child_fails": Story(
        """
flow: child_fails
steps:
  call: {uses: call, with: {flow: child, wait: true}}
  bad: {uses: http.request, after: call.error, with: {method: POST, url: "https://api.example/bad", json: {code: "${ errors.call.code }"}}}
output: "${ steps.bad.body.path }"
""",
        child="""
flow: child
steps:
  post: {uses: http.request, with: {method: POST, url: "https://api.example/child"}}
  boom: {uses: fail, after: post, with: {message: "no"}}
""",
    ),
    "heard": Story(
        """
flow: heard
steps:
  post: {uses: http.request, with: {method: POST, url: "https://api.example/post"}}
  boom: {uses: fail, after: post, with: {message: "no"}}
""",
        child="""
flow: alarm
inputs: {code: {type: string}}
triggers:
  failed: {uses: error, with: {flows: [heard]}, inputs: {code: "${ trigger.code }"}}
steps:
  tell: {uses: http.request, with: {method: POST, url: "https://api.example/alarm", json: {code: "${ inputs.code }"}}}
""",
    ),
    "lane": Story(
        """
flow: lane
concurrency: 1
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  post: {uses: http.request, with: {method: POST, url: "https://api.example/post/${ execution.id }", json: {n: "${ steps.read.body.path }"}}}
  nap: {uses: wait, after: post, with: {for: 2m}}
output: "${ steps.post.body.path }"
""",
        times=2,
    ),
    "long": Story("""
flow: long
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  nap: {uses: wait, after: read, with: {for: 40m}}
  put: {uses: http.request, after: nap, with: {method: PUT, url: "https://api.example/put", json: {n: "${ steps.read.body.n }"}}}
output: "${ steps.put.body.path }"
"""),
    "cancelled": Story(
        """
flow: cancelled
steps:
  post: {uses: http.request, with: {method: POST, url: "https://api.example/post"}}
  each:
    uses: foreach
    after: post
    with: {over: [1, 2, 3], concurrency: 2}
    steps:
      nap: {uses: wait, with: {for: 5h}}
      never: {uses: http.request, after: nap, with: {method: POST, url: "https://api.example/never/${ item }"}}
on_failure:
  tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell"}}
""",
        deeds=(Deed("cancel"),),
        varies=True,
    ),
    "paused": Story(
        """
flow: paused
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  nap: {uses: wait, after: read, with: {for: 5m}}
  post: {uses: http.request, after: nap, with: {method: POST, url: "https://api.example/post", json: {n: "${ steps.read.body.n }"}}}
output: "${ steps.post.body.path }"
""",
        deeds=(Deed("pause"), Deed("resume")),
    ),
    "redriven": Story(
        """
flow: redriven
steps:
  read: {uses: http.request, with: {url: "https://api.example/read"}}
  post: {uses: http.request, with: {method: POST, url: "https://api.example/post", json: {n: "${ steps.read.body.n }"}}}
  boom: {uses: http.request, after: post, with: {url: "https://api.example/boom"}}
  put: {uses: http.request, with: {method: PUT, url: "https://api.example/put", json: {n: "${ steps.boom.body.path }"}}}
output: "${ steps.put.body.path }"
""",
        {"boom": [GONE]},
        deeds=(Deed("redrive"),),
        varies=True,
    ),
}
