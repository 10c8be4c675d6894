// Who the client is, for a Node.js application behind a gateway that asks Keybearer. Node.js only.
//
//   http.createServer(keybearerIdentity((request, response) => … request.keybearer …))
//   app.use(keybearerIdentity())      // Express
//
// Requests that Keybearer allowed have an identity in request.keybearer. Others are refused with 401, or have null
// there with {required: false}: where the product has tokens of its own, or paths that need no key.
//
// The application must listen where only the gateway reaches it: whoever reaches it directly can claim any identity.

const NAMES = {
  user: 'User', email: 'Email', emailVerified: 'Email-Verified', workspace: 'Workspace', role: 'Role', plan: 'Plan',
  keyPrefix: 'Key-Prefix',
};
const REFUSAL = { ok: false, error: 'UNAUTHORIZED', message: 'The Secret Key is missing or not valid.' };

/** Whose key the request had; null unless each header is there exactly once. What Keybearer does not know is null. */
export function identityOf(request) {
  const identity = {};
  for (const [member, name] of Object.entries(NAMES)) {
    const values = request.headersDistinct[`x-keybearer-${name.toLowerCase()}`] ?? [];
    if (values.length !== 1 || values[0] === '') return null;
    // Keybearer writes what may not be in a header as %XX, and "-" for nothing.
    identity[member] = values[0] === '-' ? null : decodeURIComponent(values[0]);
  }
  identity.emailVerified = identity.emailVerified === 'true';
  return identity;
}

/** The middleware: before a handler of node:http, or for a framework that calls (request, response, next). The
 * realm is the product's name, in ASCII. */
export function keybearerIdentity(handler, { required = true, realm = 'API' } = {}) {
  return (request, response, next) => {
    request.keybearer = identityOf(request);
    if (request.keybearer === null && required) {
      response.writeHead(401, { 'Content-Type': 'application/json', 'WWW-Authenticate': `Bearer realm="${realm}"` });
      return response.end(JSON.stringify(REFUSAL));
    }
    const id = request.headers['x-request-id'];
    if (id) response.setHeader('X-Request-Id', id);
    return handler ? handler(request, response) : next();
  };
}
