"""``buffering``: whole bodies are read before they are passed on; sizes in bytes.

What exceeds the memory limits is kept in files without a name. Tunnels and
streams (``text/event-stream``, NDJSON, gRPC), which may have no end, pass through, and so
do answers with ``X-Accel-Buffering: no``; ``yes`` says that one has an end.
"""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from edgerouter.http.errors import BodyTooLarge, ExchangeError
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.http.watched import when_done
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.budget import Account, Share
from edgerouter.middleware.mediatypes import is_read_as_it_comes, streams
from edgerouter.middleware.predicates import Function, condition
from edgerouter.middleware.spool import Spool

MOST_ATTEMPTS = 10
"""Repetitions of one request, whatever the expression says (Traefik)."""
_NETWORK_ERRORS = (502, 504)

_Ask = Callable[[], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    max_request_body_bytes: int = 0
    mem_request_body_bytes: int = 1_048_576
    max_response_body_bytes: int = 0
    mem_response_body_bytes: int = 1_048_576
    retry_expression: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an expression is asked about."""

    method: str
    number: int
    status: int


FUNCTIONS = {
    "RequestMethod": Function(0, lambda: lambda attempt: attempt.method, str),
    "Attempts": Function(0, lambda: lambda attempt: attempt.number, float),
    "ResponseCode": Function(0, lambda: lambda attempt: attempt.status, float),
    "IsNetworkError": Function(0, lambda: lambda attempt: attempt.status in _NETWORK_ERRORS, bool),
}


class ResponseTooLarge(ExchangeError):
    """The server's answer exceeds ``maxResponseBodyBytes``."""

    source = "upstream"


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: A size is negative, or the expression is none.
    """
    for name, size in (
        ("maxRequestBodyBytes", options.max_request_body_bytes),
        ("memRequestBodyBytes", options.mem_request_body_bytes),
        ("maxResponseBodyBytes", options.max_response_body_bytes),
        ("memResponseBodyBytes", options.mem_response_body_bytes),
    ):
        if size < 0:
            raise BuildError(f"{name}: must not be negative, got {size}")
    meets = None
    if options.retry_expression:
        meets = condition("retryExpression", options.retry_expression, FUNCTIONS)

    passes = _never if context.as_traefik else streams
    passes_answer = _never if context.as_traefik else is_read_as_it_comes

    def buffering(handler: Handler) -> Handler:
        repeats = None if meets is None else _Repeats(meets, context)

        async def handle(request: Request) -> Response:
            if passes(request.headers):
                return await handler(request)
            spool = await _read_request(options, request)
            ask = partial(_ask, options, handler, request, spool, passes_answer)
            try:
                response = await (ask() if repeats is None else repeats.of(ask, request, spool))
            except BaseException:
                spool.close()
                raise
            spool.close_after(response.upload)
            return response

        return handle

    return buffering


async def _read_request(options: Options, request: Request) -> Spool:
    """Return the request's body.

    Raises:
        BodyTooLarge: It has more than ``maxRequestBodyBytes``.
    """
    limit = options.max_request_body_bytes or sys.maxsize
    message = f"the request body has more than {limit} bytes (maxRequestBodyBytes)"
    if (request.body.length or 0) > limit:
        raise BodyTooLarge(message)
    spool = Spool(options.mem_request_body_bytes)
    try:
        if not await spool.fill(request.body, limit):
            raise BodyTooLarge(message)
    except BaseException:
        spool.close()
        raise
    return spool


async def _ask(
    options: Options,
    handler: Handler,
    request: Request,
    spool: Spool,
    passes: Callable[[Headers], bool],
) -> Response:
    asking = request.evolve(body=spool.body(), expects_continue=False)
    response = await handler(asking)
    if request.method != "HEAD" and not passes(response.headers):
        response = await _read_response(options, response)
    return response


class _Repeats:
    """Repetitions by an expression; as Traefik does it, only of requests with a body."""

    def __init__(self, meets: Callable[[Attempt], bool], context: BuildContext) -> None:
        self._meets = meets
        self._needs_body = context.as_traefik
        self._account = Account(context.budgets, is_limited=not context.as_traefik)

    async def of(self, ask: _Ask, request: Request, spool: Spool) -> Response:
        """Return the answer that need not be asked for again."""
        if self._needs_body and not spool.size:
            return await ask()
        share = self._account.enter(request.exchange)
        try:
            for number in range(1, MOST_ATTEMPTS + 1):
                try:
                    response = await ask()
                except ExchangeError as error:
                    if not self._once_more(Attempt(request.method, number, error.status), share):
                        raise
                else:
                    attempt = Attempt(request.method, number, response.status)
                    if not self._once_more(attempt, share):
                        return response
                    response.close()
                request.exchange.retries += 1
            return await ask()
        finally:
            share.end()

    def _once_more(self, attempt: Attempt, share: Share) -> bool:
        return self._meets(attempt) and share.is_affordable(MOST_ATTEMPTS + 1)


async def _read_response(options: Options, response: Response) -> Response:
    """Return ``response`` with a body that is all there.

    Raises:
        ResponseTooLarge: It has more than ``maxResponseBodyBytes``.
    """
    if response.tunnel is not None:
        return response
    limit = options.max_response_body_bytes or sys.maxsize
    body = response.body
    spool = Spool(options.mem_response_body_bytes)
    try:
        if (body.length or 0) > limit or not await spool.fill(body, limit):
            message = f"the answer has more than {limit} bytes (maxResponseBodyBytes)"
            raise ResponseTooLarge(message)
    except BaseException:
        spool.close()
        response.close()
        raise
    response.body = spool.body()
    return when_done(response, spool.close) if spool.on_disk else response


def _never(_headers: Headers) -> bool:
    return False
