"""An application of the ASGI example: serves on a port, and tells who the client is."""

import json
import sys
from dataclasses import asdict

import uvicorn
from keybearer_asgi import KeybearerIdentity


async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return await send({"type": "websocket.close"})
    if scope["type"] == "http":
        identity = scope["keybearer.identity"]
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(identity and asdict(identity)).encode()})


uvicorn.run(KeybearerIdentity(application, required=sys.argv[2] == "required"), host="127.0.0.1", port=int(sys.argv[1]))
