"""A WSGI application. RELEASE is the release's name."""

import os

RELEASE = os.environ["RELEASE"]


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{RELEASE} from pid {os.getpid()}\n".encode()]
