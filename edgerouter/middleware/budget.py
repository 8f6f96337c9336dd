"""How many requests may be repeated at once, so that a server that cannot keep up is left alone."""

PERCENT = 20
"""Of 100 requests under way so many may be repeated at the same time, and"""
MIN_CONCURRENCY = 3
"""always so many (Envoy's defaults)."""


class Budget:
    """That of one middleware in one worker."""

    __slots__ = ("_is_limited", "_repeating", "_under_way")

    def __init__(self, *, is_limited: bool) -> None:
        self._is_limited = is_limited
        self._under_way = 0
        self._repeating = 0
        """Those under way that have been repeated after a server had got them."""

    def enter(self) -> "Share":
        """Count one more request under way until its share has ended."""
        self._under_way += 1
        return Share(self)

    def take(self) -> bool:
        """Tell whether one more request may be repeated; count it."""
        most = max(MIN_CONCURRENCY, self._under_way * PERCENT // 100)
        if self._is_limited and self._repeating >= most:
            return False
        self._repeating += 1
        return True

    def leave(self, *, repeated: bool) -> None:
        """Count a request as done."""
        self._under_way -= 1
        self._repeating -= repeated


class Share:
    """One request's share."""

    __slots__ = ("_budget", "_is_repeated")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._is_repeated = False

    def is_affordable(self) -> bool:
        """Tell whether the budget has room for this request to be repeated; take it."""
        self._is_repeated = self._is_repeated or self._budget.take()
        return self._is_repeated

    def end(self) -> None:
        """Give it back, once."""
        self._budget.leave(repeated=self._is_repeated)
