"""How many requests may be repeated at once, so that a server that cannot keep up is left alone."""

from weakref import WeakValueDictionary

from edgerouter.http.message import Exchange

PERCENT = 20
"""Of 100 requests under way so many may be repeated at the same time, and"""
MIN_CONCURRENCY = 3
"""always so many (Envoy's defaults)."""


class Budget:
    """That of one service in one worker."""

    __slots__ = ("__weakref__", "_repeating", "_under_way")

    def __init__(self) -> None:
        self._under_way = 0
        self._repeating = 0
        """Those under way that have been repeated after a server had got them."""

    def enter(self, requests: int) -> None:
        """Count so many more requests as under way."""
        self._under_way += requests

    def take(self) -> bool:
        """Tell whether one more request may be repeated; count it."""
        if self._repeating >= max(MIN_CONCURRENCY, self._under_way * PERCENT // 100):
            return False
        self._repeating += 1
        return True

    def leave(self, requests: int, *, repeated: bool) -> None:
        """Count so many as done."""
        self._under_way -= requests
        self._repeating -= repeated


class Budgets:
    """Those of all services in one worker, whichever routers and middlewares lead to them."""

    def __init__(self) -> None:
        self._by_service: WeakValueDictionary[str, Budget] = WeakValueDictionary()

    def of(self, service: str) -> Budget:
        """Return the budget of ``service``."""
        budget = self._by_service.get(service)
        if budget is None:
            budget = self._by_service[service] = Budget()
        return budget


class Account:
    """What the requests of one router by way of one middleware are charged to.

    Which service they reach is known when the first one has reached it.
    """

    __slots__ = ("_budgets", "_service", "budget", "is_limited")

    def __init__(self, budgets: Budgets, *, is_limited: bool) -> None:
        self._budgets = budgets
        self._service = ""
        self.budget = Budget()
        self.is_limited = is_limited
        """Not with ``edgerouter.compat=traefik``: then everything may be repeated."""

    def enter(self, exchange: Exchange) -> "Share":
        """Count one more request under way until its share has ended."""
        return Share(self, exchange)

    def learn(self, service: str) -> None:
        """Take note of the service that a request has reached."""
        if service and service != self._service:
            self._service = service
            self.budget = self._budgets.of(service)


class Share:
    """One request's share."""

    __slots__ = ("_account", "_budget", "_exchange", "_is_repeated", "_requests")

    def __init__(self, account: Account, exchange: Exchange) -> None:
        self._account = account
        self._exchange = exchange
        self._requests = int(not exchange.is_charged)
        """0 behind another middleware that repeats: there it counts already."""
        exchange.is_charged = True
        self._budget = account.budget
        self._budget.enter(self._requests)
        self._is_repeated = False

    def is_affordable(self, attempts: int) -> bool:
        """Tell whether this request may be repeated; take what that costs.

        Not if it has been sent ``attempts`` times, which counts what other middlewares behind
        this one have repeated: with one behind the other they would multiply.
        """
        if not self._account.is_limited:
            return True
        if self._exchange.repeats >= attempts - 1:
            return False
        self._move()
        self._is_repeated = self._is_repeated or self._budget.take()
        self._exchange.repeats += self._is_repeated
        return self._is_repeated

    def _move(self) -> None:
        """Go over to the budget of the service that the request has reached."""
        self._account.learn(self._exchange.service)
        if self._budget is not self._account.budget and not self._is_repeated:
            self._budget.leave(self._requests, repeated=False)
            self._budget = self._account.budget
            self._budget.enter(self._requests)

    def end(self) -> None:
        """Give it back, once."""
        self._account.learn(self._exchange.service)
        self._budget.leave(self._requests, repeated=self._is_repeated)
        if self._requests:
            self._exchange.is_charged = False
