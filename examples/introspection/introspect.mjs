// Asks Keybearer whether a Secret Key may pass (RFC 7662), with nothing but Node itself.
//
//   KEYBEARER_URL=https://keys.yourapp.com KEYBEARER_OPERATOR_TOKEN=kbo_… node introspect.mjs < key
//
// The key comes by standard input and not as an argument: arguments are seen by every user of the machine.

/** What Keybearer says of a key. Only `active: true` may pass; an active answer counts as one request. */
export async function introspect(key, clientAddress) {
  const form = new URLSearchParams({ token: key });
  if (clientAddress) form.set('client_address', clientAddress);
  const answer = await fetch(process.env.KEYBEARER_URL + '/operator/v1/introspect', {
    method: 'POST',
    headers: { Authorization: `Bearer ${process.env.KEYBEARER_OPERATOR_TOKEN}` },
    body: form,
    signal: AbortSignal.timeout(5000),
  });
  // Whoever calls this must refuse when it throws, never let pass.
  if (!answer.ok) throw new Error(`introspection answered ${answer.status}`);
  return answer.json();
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const result = await introspect(Buffer.concat(chunks).toString().trim());
console.log(result.active ? `active: ${result.username}` : `refused: ${result.error ?? 'unknown key'}`);
process.exitCode = result.active ? 0 : 1;
