"""An authentication server as small as can be: who has a token may pass.

``TOKENS`` holds pairs such as ``s3cret=alice``, separated by commas; a client sends
``Authorization: Bearer s3cret``.
"""

import hmac
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKENS = dict(pair.split("=", 1) for pair in os.environ["TOKENS"].split(","))


class Check(BaseHTTPRequestHandler):
    """Answers 204 and the user's name, or 401."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        user = ""
        for token, name in TOKENS.items():
            if hmac.compare_digest(token.encode(), given.encode()) and scheme == "Bearer":
                user = name
        if user:
            self.send_response(204)
            self.send_header("X-Auth-User", user)
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Bearer realm="example"')
            self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(sys.argv[1])), Check).serve_forever()
