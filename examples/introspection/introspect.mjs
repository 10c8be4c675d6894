// Asks Keybearer whether a Secret Key is valid (RFC 7662), with Node.js only.
//
//   KEYBEARER_URL=https://keys.yourapp.com KEYBEARER_OPERATOR_TOKEN=kbo_… node introspect.mjs < key
//
// The key is read from standard input, because every user of the machine can see a program's arguments.

/** Returns Keybearer's response. Allow only `active: true`; it counts as one request against the rate limit. */
export async function introspect(key, clientAddress) {
  const form = new URLSearchParams({ token: key });
  if (clientAddress) form.set('client_address', clientAddress);
  const answer = await fetch(process.env.KEYBEARER_URL + '/operator/v1/introspect', {
    method: 'POST',
    headers: { Authorization: `Bearer ${process.env.KEYBEARER_OPERATOR_TOKEN}` },
    body: form,
    signal: AbortSignal.timeout(5000),
  });
  // If this throws, the caller must refuse the request.
  if (!answer.ok) throw new Error(`introspection answered ${answer.status}`);
  return answer.json();
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const result = await introspect(Buffer.concat(chunks).toString().trim());
console.log(result.active ? `active: ${result.username}` : `refused: ${result.error ?? 'unknown key'}`);
process.exitCode = result.active ? 0 : 1;
