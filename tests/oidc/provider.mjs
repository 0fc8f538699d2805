// A certified OpenID provider for the tests. It reads commands from standard input, one JSON object
// a line: {"keys": [...]} has it sign with the first of these private keys and publish them all.
// The answer to each is one line. It ends when standard input does, and after two minutes at most.

import http from 'node:http';
import readline from 'node:readline';
import Provider from 'oidc-provider';

const LONGEST_MS = 120_000;
const port = Number(process.argv[2]);
let issuer;
let handle;

function made(keys) {
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: [{
      client_id: 'robot',
      client_secret: 'robot-secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: keys[0].alg,
    }],
    scopes: ['openid', 'read', 'write'],
    ttl: { ClientCredentials: 3600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // a resource whose name ends so has opaque tokens, which must be introspected
        getResourceServerInfo: (_ctx, resource) => ({
          scope: 'read write',
          audience: resource,
          accessTokenFormat: resource.endsWith('/opaque') ? 'opaque' : 'jwt',
          jwt: { sign: { alg: keys[0].alg } },
        }),
      },
    },
  });
  return provider.callback();
}

const commands = readline.createInterface({ input: process.stdin });
const server = http.createServer((request, response) => handle(request, response));

server.listen(port, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  commands.on('line', (line) => {
    try {
      handle = made(JSON.parse(line).keys);
      console.log(JSON.stringify({ issuer }));
    } catch (error) {
      console.log(JSON.stringify({ error: String(error) }));
    }
  });
});
commands.on('close', () => process.exit(0));
setTimeout(() => process.exit(1), LONGEST_MS);
