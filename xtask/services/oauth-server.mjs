// An authorization server on loopback for tests: client credentials by secret, signed assertion and certificate; JWT
// access tokens with an audience, bound to the certificate where one was shown (RFC 8705). On SIGHUP it signs with its
// other key, which its JWKS had from the start.
import crypto from 'node:crypto'
import fs from 'node:fs'
import https from 'node:https'
import Provider, { errors } from 'oidc-provider'

const [pki, port, host] = [process.argv[2], Number(process.argv[3]), process.argv[4] ?? '127.0.0.1']
const issuer = `https://localhost:${port}`
const read = (name) => fs.readFileSync(`${pki}/${name}`)
const signing = ['sign1', 'sign2'].map((name) => ({
  ...crypto.createPrivateKey(read(`${name}.key`)).export({ format: 'jwk' }), kid: name, use: 'sig', alg: 'ES256',
}))
const assertionKey = { ...crypto.createPublicKey(read('assertion.key')).export({ format: 'jwk' }), kid: 'assertion', use: 'sig', alg: 'ES256' }
const audiences = ['vault', 'sts', 'lineage', 'lockgate']
const base = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope: 'read write' }
const clients = [
  { ...base, client_id: 'etl-secret', client_secret: 'planted-oauth-client-secret', token_endpoint_auth_method: 'client_secret_basic' },
  { ...base, client_id: 'etl-assertion', token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', jwks: { keys: [assertionKey] } },
  { ...base, client_id: 'etl-certificate', token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_subject_dn: 'CN=svc-etl', tls_client_certificate_bound_access_tokens: true },
]
const certificateSubjectMatches = (ctx, property, expected) =>
  property === 'tls_client_auth_subject_dn' && ctx.socket.getPeerX509Certificate().subject.split('\n').reverse().join(',') === expected
const getResourceServerInfo = (ctx, resource) => {
  const audience = resource.replace('urn:', '')
  if (!audiences.includes(audience)) throw new errors.InvalidTarget()
  return { scope: 'read write', audience, accessTokenTTL: 300, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }
}
const provider = (keys) => new Provider(issuer, {
  clients, jwks: { keys }, scopes: ['read', 'write'],
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  clientAuthMethods: ['client_secret_basic', 'private_key_jwt', 'tls_client_auth'],
  features: {
    devInteractions: { enabled: false }, clientCredentials: { enabled: true },
    mTLS: {
      enabled: true, certificateBoundAccessTokens: true, tlsClientAuth: true, certificateSubjectMatches,
      getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.(),
      certificateAuthorized: (ctx) => ctx.socket.authorized,
    },
    resourceIndicators: { enabled: true, defaultResource: () => undefined, useGrantedResource: () => true, getResourceServerInfo },
  },
}).callback()
let answer = provider(signing)
process.on('SIGHUP', () => { answer = provider(signing.toReversed()) })
const tls = { key: read('server.key'), cert: read('server.crt'), ca: read('ca.pem'), requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2' }
https.createServer(tls, (request, response) => answer(request, response)).listen(port, host)
