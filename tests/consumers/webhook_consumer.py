"""A webhook consumer that knows nothing of the engine: Python's own server and the Standard Webhooks library.

``python webhook_consumer.py PORT SECRET FILE FAILS`` appends a line to FILE for each delivery that the library has
verified: its webhook-id, a tab, its body. Its request number FAILS is answered with 500, and forgotten.
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook

PORT, SECRET, FILE, FAILS = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])


class Consumer(BaseHTTPRequestHandler):
    """Takes deliveries."""

    requests = 0

    def do_POST(self) -> None:
        """Verify, write down, answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Consumer.requests += 1
        if Consumer.requests == FAILS:
            self._answer(500)
            return
        Webhook(SECRET).verify(body, dict(self.headers))
        with open(FILE, "a") as record:
            record.write(f"{self.headers['webhook-id']}\t{body.decode()}\n")
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()


HTTPServer(("127.0.0.1", PORT), Consumer).serve_forever()
