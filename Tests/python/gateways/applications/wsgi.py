"""An application of the WSGI example: serves on a port, and tells who the client is."""

import json
import sys
from dataclasses import asdict
from wsgiref.simple_server import ServerHandler, make_server

from keybearer_wsgi import KeybearerIdentity


def application(environ, start_response):
    identity = environ["keybearer.identity"]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(identity and asdict(identity)).encode()]


# What the test's client speaks.
ServerHandler.http_version = "1.1"
identified = KeybearerIdentity(application, required=sys.argv[2] == "required")
make_server("127.0.0.1", int(sys.argv[1]), identified).serve_forever()
