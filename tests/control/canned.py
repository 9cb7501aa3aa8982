"""A server on loopback that says what a test puts into its mouth."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Canned:
    """What is answered: status and body, after a pause, at a moment; and what was asked."""

    url: str = ""
    body: str = ""
    bodies: list[str] = field(default_factory=list)  # before `body`, one for each question
    status: int = 200
    pause: float = 0.0
    drip: float = 0.0  # seconds between two bytes
    date: float | None = None
    asked: list[str] = field(default_factory=list)


@contextmanager
def canned_server() -> Iterator[Canned]:
    """Serve until the end of the context."""
    canned = Canned()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            canned.asked.append(self.path)
            time.sleep(canned.pause)
            self.send_response_only(canned.status)
            now = time.time() if canned.date is None else canned.date
            self.send_header("Date", formatdate(now, usegmt=True))
            self.end_headers()
            body = (canned.bodies.pop(0) if canned.bodies else canned.body).encode()
            step = 1 if canned.drip else len(body) or 1
            try:
                for start in range(0, len(body), step):
                    self.wfile.write(body[start : start + step])
                    time.sleep(canned.drip)
            except OSError:  # the reader has lost patience
                pass

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    canned.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield canned
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
