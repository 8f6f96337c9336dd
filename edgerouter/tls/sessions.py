"""HTTPS through ``requests``, for the control plane: blocking."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context

from edgerouter.tls.trust import verify_as_go


class GoAdapter(HTTPAdapter):
    """Verifies servers as Go does, where they are verified; whom to trust ``requests`` decides."""

    def __init__(self) -> None:
        self._context = create_urllib3_context()
        verify_as_go(self._context)
        super().__init__()

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, pool if verify is False else {**pool, "ssl_context": self._context}


def session() -> requests.Session:
    """Return a session that verifies as Go does."""
    made = requests.Session()
    made.mount("https://", GoAdapter())
    return made
