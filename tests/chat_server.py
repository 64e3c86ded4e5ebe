"""A server of chat completions, played by threads after a script; for tests of what asks it."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BUSY = (429, {"error": {"message": "slow down"}})
DOWN = (503, "<html>down</html>")
RESET, SILENT = "reset", "silent"


def answer(text="yes", end="stop", **more):
    return 200, {
        "choices": [{"message": {"content": text}, "finish_reason": end} | more],
        "usage": {"prompt_tokens": 9},
    }


def refused(message, **more):
    return 400, {"error": {"message": message} | more}


class Server(ThreadingHTTPServer):
    """Does what its script says of each request, from its body and its number; None goes on as an answer."""

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.bodies, self.held = script, [], threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        done = self.server.script(body, len(self.server.bodies) - 1) or answer()
        if done == SILENT:
            self.server.held.wait(60)
            return
        if done == RESET:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices": [')
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        status, said, *headers = done
        text = (said if isinstance(said, str) else json.dumps(said)).encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(text)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


def nth(*script):
    """Does these one after the other, then answers."""
    return lambda _, number: script[number] if number < len(script) else None
