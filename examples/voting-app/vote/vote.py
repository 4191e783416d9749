"""The vote service: a page with two buttons. Each vote goes to the end of the Redis list `votes`, as JSON.

Only the standard library. Settings are environment variables:
  PORT       where it listens (80)
  HOST       on which address (every one)
  REDIS_URL  redis://HOST:PORT (redis://redis:6379)
  INSTANCE   the name that the page shows (the host name, in a container its id)

The same vote may arrive twice: a proxy sends it again if this process dies before it responds. That changes nothing, because
a voter has one vote, and who the voter is comes with the request. A request without a voter is not counted: two copies of it
would be two voters.
"""

import json
import os
import re
import secrets
import signal
import socket
import socketserver
import sys
import threading
import time
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, urlsplit

INSTANCE = os.environ.get("INSTANCE") or socket.gethostname()
HOST = os.environ.get("HOST", "")
PORT = int(os.environ.get("PORT", "80"))
REDIS = urlsplit(os.environ.get("REDIS_URL", "redis://redis:6379"))

CHOICES = {"a": "Cats", "b": "Dogs"}
VOTER = re.compile(r"[0-9A-Za-z-]{8,64}")
MAX_BODY_BYTES = 1024
YEAR_SECONDS = 365 * 24 * 3600
IDLE_SECONDS = 75
# How long a vote waits for a Redis that is starting again, and how long one try may take.
REDIS_PATIENCE_SECONDS = 20
REDIS_TIMEOUT_SECONDS = 2

PAGE = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Queue:
    """One connection to Redis for each thread, opened when it is needed and again after it broke."""

    def __init__(self):
        self.local = threading.local()

    def push(self, vote):
        """Returns once Redis has the vote; raises OSError if it has not responded in time."""
        text = json.dumps(vote, separators=(",", ":")).encode()
        command = b"*3\r\n$5\r\nRPUSH\r\n$5\r\nvotes\r\n$%d\r\n%s\r\n" % (len(text), text)
        deadline = time.monotonic() + REDIS_PATIENCE_SECONDS
        while True:
            try:
                return self.send(command)
            except OSError:
                self.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def send(self, command):
        if getattr(self.local, "stream", None) is None:
            address = (REDIS.hostname, REDIS.port or 6379)
            self.local.socket = socket.create_connection(address, REDIS_TIMEOUT_SECONDS)
            self.local.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.local.stream = self.local.socket.makefile("rb")
        self.local.socket.sendall(command)
        reply = self.local.stream.readline(1024)
        # An integer is the length of the list. While Redis loads its data it responds with an error.
        if not reply.startswith(b":"):
            raise OSError(f"Redis did not take the vote: {reply!r}")

    def close(self):
        if getattr(self.local, "stream", None) is not None:
            self.local.stream.close()
            self.local.socket.close()
            self.local.stream = None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "vote"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    # Flushed once after each request: a client has the whole response or none of it.
    wbufsize = 65536

    def do_GET(self):
        path = urlsplit(self.path).path
        if path == "/healthz":
            self.respond(200, "ok\n", "text/plain")
        elif path == "/":
            self.show_page(200)
        else:
            self.respond(404, "There is no such page.\n", "text/plain")

    do_HEAD = do_GET

    def do_POST(self):
        size = self.headers.get("Content-Length", "")
        if not size.isdecimal() or int(size) > MAX_BODY_BYTES:
            self.close_connection = True
            return self.respond(413, f"A vote has a Content-Length of at most {MAX_BODY_BYTES}.\n", "text/plain")
        body = self.rfile.read(int(size))
        if len(body) < int(size):
            self.close_connection = True
            return
        if urlsplit(self.path).path != "/":
            return self.respond(404, "Votes go to /.\n", "text/plain")
        vote = parse_qs(body.decode("latin-1")).get("vote", [""])[-1]
        voter = self.cookie("voter_id")
        if vote not in CHOICES:
            return self.show_page(400, "That is neither cats nor dogs. Nothing was counted.")
        if not VOTER.fullmatch(voter):
            return self.show_page(400, "Your browser sent no cookie, so this vote was not counted. Vote once more.")
        try:
            self.server.queue.push({"voter_id": voter, "vote": vote, "at": time.time_ns() // 1_000_000})
        except OSError as error:
            self.log_error("cannot reach Redis at %s: %s", REDIS.netloc, error)
            return self.show_page(503, "The vote could not be stored. Try again in a moment.")
        # A reload of the page that follows does not vote again.
        self.respond(303, "", "text/plain", {"Location": "/"}, [self.set_cookie("vote", vote)])

    def show_page(self, status, problem=""):
        voter, vote = self.cookie("voter_id"), self.cookie("vote")
        known = VOTER.fullmatch(voter)
        cookies = [] if known else [self.set_cookie("voter_id", secrets.token_hex(16))]
        choice = CHOICES.get(vote) if known else None
        page = PAGE.substitute(
            instance=escape(INSTANCE),
            cats_pressed=str(choice == "Cats").lower(),
            dogs_pressed=str(choice == "Dogs").lower(),
            kind="problem" if problem else "done" if choice else "open",
            message=problem or (f"You voted for {choice.lower()}. You can change your mind." if choice else "One vote each. You can change it later."),
        )
        self.respond(status, page, "text/html", SECURITY, cookies)

    def respond(self, status, text, kind, fields={}, cookies=()):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Instance", INSTANCE)
        for name, value in fields.items():
            self.send_header(name, value)
        for cookie in cookies:
            self.send_header("Set-Cookie", cookie)
        if self.server.is_stopping or self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def cookie(self, name):
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(name)
        except CookieError:
            return ""
        return found.value if found else ""

    def set_cookie(self, name, value):
        return f"{name}={value}; Path=/; Max-Age={YEAR_SECONDS}; HttpOnly; SameSite=Lax"

    def log_request(self, code="-", size="-"):
        if self.command == "POST":
            super().log_request(code, size)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    request_queue_size = 128
    # server_close waits for the threads: each finishes its request.
    daemon_threads = False

    def __init__(self):
        self.queue = Queue()
        self.is_stopping = False
        self.connections = set()
        super().__init__((HOST, PORT), Handler)

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.queue.close()

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        # A client that leaves is no error of this service.
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def stop(self):
        """Ends reading: a request that has arrived gets its response, an idle connection is closed."""
        self.is_stopping = True
        self.shutdown()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RD)
            except OSError:
                pass


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def main():
    server = Server()
    # `shutdown` waits for the loop that a handler of a signal interrupts.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.stop).start())
    print(f"vote listens on {HOST or '0.0.0.0'}:{server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()


main()
