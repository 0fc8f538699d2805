// A certified OpenID provider for the tests. It reads commands from standard input, one JSON object
// a line: {"keys": [...], "redirects": [...]} has it sign with the first of these private keys and
// publish them all, and send people back to these URLs. The answer to each is one line. It ends when
// standard input does, and after two minutes at most. Whoever signs in is who they say they are.

import http from 'node:http';
import readline from 'node:readline';
import Provider from 'oidc-provider';

// what the provider has to say must not stand between our answers
console.info = console.error;
console.warn = console.error;

const LONGEST_MS = 120_000;
const port = Number(process.argv[2]);
let issuer;
let handle;

function clients(alg, redirects) {
  const robot = {
    client_id: 'robot',
    client_secret: 'robot-secret',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: alg,
  };
  const site = {
    client_id: 'the site',
    client_secret: 'site %+: secret',
    grant_types: ['authorization_code'],
    redirect_uris: redirects,
    response_types: ['code'],
    id_token_signed_response_alg: alg,
  };
  return redirects.length ? [robot, site] : [robot];
}

function made(keys, redirects) {
  const { alg } = keys[0];
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: clients(alg, redirects),
    scopes: ['openid', 'read', 'write', 'email'],
    claims: { openid: ['sub'], email: ['email', 'email_verified', 'groups'] },
    conformIdTokenClaims: false,
    findAccount: (_ctx, sub) => ({
      accountId: sub,
      claims: () => ({
        sub, email: `${sub}@idp.example`, email_verified: true, groups: ['staff'],
      }),
    }),
    cookies: { keys: ['the tests'] },
    ttl: { ClientCredentials: 3600 },
    features: {
      devInteractions: { enabled: true },
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
          jwt: { sign: { alg } },
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
      const { keys, redirects } = JSON.parse(line);
      handle = made(keys, redirects);
      console.log(JSON.stringify({ issuer }));
    } catch (error) {
      console.log(JSON.stringify({ error: String(error) }));
    }
  });
});
commands.on('close', () => process.exit(0));
setTimeout(() => process.exit(1), LONGEST_MS);
