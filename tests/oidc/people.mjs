// A certified OpenID provider where people sign in from the command line: any name and password will
// do. It reads commands and answers as provider.mjs does. Of its clients, `licet-cli` is public and
// is sent back to any port of this machine; `licet-short` gets nothing to renew its tokens with.

import http from 'node:http';
import readline from 'node:readline';
import Provider from 'oidc-provider';

const LONGEST_MS = 120_000;
const port = Number(process.argv[2]);
let issuer;
let handle;

function made(keys) {
  const client = {
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['http://127.0.0.1/callback'],
    response_types: ['code'],
    id_token_signed_response_alg: keys[0].alg,
  };
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: [
      { ...client, client_id: 'licet-cli', grant_types: ['authorization_code', 'refresh_token'] },
      { ...client, client_id: 'licet-short', grant_types: ['authorization_code'] },
    ],
    scopes: ['openid', 'offline_access', 'read', 'write'],
    claims: { openid: ['sub', 'email', 'email_verified'] },
    conformIdTokenClaims: false,
    findAccount: (_ctx, sub) => ({
      accountId: sub,
      claims: () => ({ sub, email: `${sub}@example.org`, email_verified: sub !== 'eve' }),
    }),
    ttl: { AccessToken: 900, IdToken: 900, Interaction: 600, Session: 600, Grant: 900, RefreshToken: 900 },
    features: {
      devInteractions: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, resource) => ({
          scope: 'read write',
          audience: resource,
          accessTokenFormat: 'jwt',
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
