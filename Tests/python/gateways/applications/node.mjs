// An application of the Node.js example: serves on a port, and tells who the client is.
import http from 'node:http';
import { pathToFileURL } from 'node:url';

const [port, required, example] = process.argv.slice(2);
const { keybearerIdentity } = await import(pathToFileURL(example));

function tell(request, response) {
  const { keyPrefix: key_prefix, emailVerified: email_verified, ...rest } = request.keybearer ?? {};
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(request.keybearer && { ...rest, email_verified, key_prefix }));
}

// In both forms: before a handler, and as a framework calls it.
const middleware = keybearerIdentity(undefined, { required: false });
const handler = required === 'required'
  ? keybearerIdentity(tell)
  : (request, response) => middleware(request, response, () => tell(request, response));
http.createServer(handler).listen(Number(port), '127.0.0.1');
