/**
 * A client of one CA that speaks ACME (RFC 8555), for one account. It stores nothing, plans nothing and never tries an order
 * again: its owner does. Each call rejects with AcmeError.
 */
import { onDemand } from '../../model/on-demand.ts'
import { quote } from '../../model/parsed.ts'
import { algorithmOf } from './account-key.ts'
import type { AcmeClient, AcmeClientOptions, Registration } from './acme-client.ts'
import { AcmeError } from './acme-error.ts'
import { certificateId } from './certificate-id.ts'
import { createConversation, readJson } from './conversation.ts'
import { createDirectory } from './directory.ts'
import { unsupported } from './faults.ts'
import { externalAccountBinding } from './jws.ts'
import { createOrders, locationOf } from './orders.ts'
import { readRenewalInfo } from './renewal-info.ts'
import type { RenewalInfo } from './resources.ts'
import { createSession, type Session } from './session.ts'

export type {
  AcmeClient,
  AcmeClientOptions,
  CertificateRequest,
  ExternalAccount,
  OrderRequest,
  Registration,
} from './acme-client.ts'

const httpClient = onDemand(
  'the client of CAs',
  () => import('../../providers/http-client/http-client.ts'),
)

const REQUEST_MS = 30_000
const CONNECT_MS = 10_000
const WAIT_MS = 300_000
const MAX_CONNECTIONS = 4
const HEADERS = { 'user-agent': 'Sluice (ACME client)', 'accept-language': 'en' }

/** Rejects if the URL or the key cannot be used. It says nothing to the CA yet. */
export async function openAcmeClient(options: AcmeClientOptions): Promise<AcmeClient> {
  const { directoryUrl, accountKey: key, accountUrl = null, ca = null, signal } = options
  const { requestMs = REQUEST_MS, waitMs = WAIT_MS, now = Date.now } = options
  const parsed = URL.parse(directoryUrl)
  if (parsed?.protocol !== 'https:')
    throw unsupported(`the directory of a CA has an https URL, which ${quote(directoryUrl)} is not`)
  algorithmOf(key)
  const { createHttpClient } = await httpClient.load()
  const { origin } = parsed
  const http = createHttpClient({
    what: 'the CA',
    origin,
    tls: { ca, cert: null, key: null, serverName: null, verify: true },
    headers: HEADERS,
    connections: MAX_CONNECTIONS,
    connectMs: CONNECT_MS,
  })
  signal.addEventListener('abort', () => http.close(), { once: true })
  const conversation = createConversation({
    http,
    origin,
    requestMs,
    now,
    nonceUrl: async () => (await directory.get()).newNonce,
  })
  const directory = createDirectory(directoryUrl, conversation, signal)
  const session = createSession({ conversation, directory, key, accountUrl, signal, waitMs })

  return {
    get accountUrl() {
      return session.accountUrl
    },
    register: (registration) => register(session, registration),
    changeEmail: (email) => changeEmail(session, email),
    ...createOrders(session),
    renewalInfo: (certificate) => askRenewalInfo(session, certificate),
    close: () => http.close(),
  }
}

async function register(
  session: Session,
  { email, externalAccount = null }: Registration,
): Promise<{ accountUrl: string }> {
  const { who, directory, key } = session
  const what = 'register an account'
  const { meta } = await directory.get()
  if (meta.externalAccountRequired && externalAccount === null) {
    const detail = `${who} registers only customers: give keyId and hmacKey of an account there (eab)`
    throw new AcmeError(`cannot ${what}: ${detail}`, { type: 'externalAccountRequired', detail })
  }
  const response = await directory.using('newAccount', (url) => {
    const account = {
      termsOfServiceAgreed: true,
      ...(email === null ? {} : { contact: [`mailto:${email}`] }),
      ...(externalAccount === null
        ? {}
        : { externalAccountBinding: externalAccountBinding(url, externalAccount, key) }),
    }
    return session.post(what, url, account, { isFirst: true, isRepeatable: true })
  })
  session.accountUrl = locationOf(response, what, who)
  return { accountUrl: session.accountUrl }
}

/** RFC 8555 section 7.3.2. */
async function changeEmail(session: Session, email: string | null): Promise<void> {
  const { accountUrl } = session
  const what = 'change the address of an account'
  if (accountUrl === null) throw unsupported(`cannot ${what}: no account is registered`)
  const contact = email === null ? [] : [`mailto:${email}`]
  await session.post(what, accountUrl, { contact }, { isRepeatable: true })
}

async function askRenewalInfo(session: Session, certificate: string): Promise<RenewalInfo | null> {
  const { who, directory } = session
  const id = certificateId(certificate)
  const { renewalInfo } = await directory.get()
  if (id === null || renewalInfo === null) return null
  const what = 'ask when to renew a certificate'
  return directory.using('renewalInfo', async (base) => {
    const response = await session.get(what, `${base.replace(/\/$/, '')}/${id}`)
    return readRenewalInfo(readJson(response, what, who), response.retryAfterMs, what, who)
  })
}
