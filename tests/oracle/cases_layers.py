"""Cases about routers below routers: which one is asked, with what, and what nobody takes."""

from tests.oracle.case import get
from tests.oracle.cases_middlewares_c import asked

CASES = [
    get("layers: child, by a header of the parent", "/strip/x?a=b", "layer.test"),
    get("layers: child, rule after the parent's path", "/x", "layer.test"),
    get("layers: the client's own header is replaced", "/x", "layer.test", "X-Role: none"),
    get("layers: nobody below", "/strip/other", "layer.test"),
    get("layers: nobody below, encoded", "/a%2Fb", "layer.test"),
    get("layers: three deep", "/mid", "layer.test"),
    get("layers: three deep, other parent", "/mid/y", "layer-two.test"),
    get("layers: by priority", "/priority", "layer-two.test"),
    get("layers: the host once more", "/host", "layer-two.test"),
    get("layers: another host", "/", "other.test"),
    get("layers: no limit of priority", "/greedy", "layer-two.test"),
    get("layers: unknown parent", "/lost", "layer-two.test"),
    get("layers: one parent unknown", "/half", "layer-two.test"),
    *(
        get(f"layers: disabled, {path}", path, "layer-two.test")
        for path in ("/obs", "/ep", "/nomw", "/nosvc", "/svc")
    ),
    get("layers: a parent with a service", "/", "layer-both.test"),
    get("layers: circle", "/leaf", "layer-round.test"),
    get("layers: circle, nobody below", "/x", "layer-round.test"),
    get("layers: no child in service", "/", "layer-barren.test"),
    get("layers: entry point with middlewares", "/priority", "layer-two.test", ep="prefixed"),
    get("layers: its middlewares come first", "/mid", "layer-two.test", ep="prefixed"),
    get("layers: refused escape", "/%2fx", "layer-deny.test", ep="deny"),
    get("layers: no escape", "/x", "layer-deny.test", ep="deny"),
    asked("a child of two parents", *["layer-limited", "layer-limited-too"] * 3),
]
