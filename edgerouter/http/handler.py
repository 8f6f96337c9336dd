"""Handlers and middlewares: how the parts of a route are put together.

1. A handler returns when the final head is known; the body may still flow. One that knows its
   answer at once returns the response itself, which can be awaited like a coroutine.
2. Reading is what lets the peer send. Nobody reads ahead.
3. Who receives a ``Response`` closes it or passes it on.
4. Closing a response ends everything it owns.
5. Before it has a head a handler fails by raising an ``ExchangeError``;
   afterwards the body's ``read`` raises.
6. When the client goes away the task is cancelled; nobody catches that but
   to clean up.
7. A middleware that does not understand tunnels passes them on untouched.
"""

from collections.abc import Awaitable, Callable, Sequence

from edgerouter.http.message import Request, Response

Handler = Callable[[Request], Awaitable[Response]]
Middleware = Callable[[Handler], Handler]


def chain(handler: Handler, middlewares: Sequence[Middleware]) -> Handler:
    """Wrap ``handler`` in ``middlewares``, the first outermost.

    Called when a table is built, never per request.
    """
    for middleware in reversed(middlewares):
        handler = middleware(handler)
    return handler
