/** A Sluice to register at, through its admin: in the registry that it writes, by default its embedded store. */
import * as z from 'zod'
import type { ClientOptions } from '../../client/client.ts'
import { onDemand } from '../../model/on-demand.ts'
import { bad, good, quote, type Scalar } from '../../model/parsed.ts'
import { parseSocketPath } from '../../model/address.ts'
import { scalar } from '../../options/fields.ts'
import { parseEndpoint } from '../../providers/registry/options.ts'
import { readTls, tlsOption, type RegistryTls } from '../../providers/registry/tls.ts'
import { refuseRegistration, toEntry } from './formats.ts'
import { defineRegistrar, type RegistrarKind } from './kind.ts'
import { ttl, withFiles } from './options.ts'

interface SluiceSettings {
  readonly url: string
  readonly token: string | null
  /** Null: none. */
  readonly tls: RegistryTls | null
  readonly ttlMs: number
}

interface AdminUrl {
  /** Canonical: `http://127.0.0.1:8182`, `unix:/run/sluice.sock`. */
  readonly url: string
  readonly isTls: boolean
}

const NORMAL_PORT = 8182
const NORMAL_URL = `http://127.0.0.1:${NORMAL_PORT}`
const SHORTEST_TTL_MS = 1_000

const client = onDemand('the client of Sluice', () => import('./sluice-link.ts'))

export const sluiceRegistrar: RegistrarKind = defineRegistrar({
  kind: 'sluice',
  description: 'A Sluice, through its admin: in the registry that it writes.',
  options: {
    url: (
      scalar(parseUrl, {
        type: 'string',
        description: `The admin: ${NORMAL_URL}, with https://, or unix: with the path of its socket.`,
      }) as z.ZodType<AdminUrl, unknown>
    ).prefault(NORMAL_URL),
    token: scalar(
      (value) =>
        typeof value === 'string' && /^[\x21-\x7e]{1,4096}$/.test(value)
          ? good(value)
          : bad('must be text of 1 to 4096 printable characters'),
      {
        type: 'string',
        description:
          'Of its admin.tokens, with the role write; a reference to a file or variable keeps it out of this file.',
      },
    ).optional(),
    ...tlsOption,
    ttl: ttl(SHORTEST_TTL_MS),
  },
  read(form, complain): SluiceSettings {
    const { url, token = null } = form
    if (!url.isTls && form.tls !== undefined) complain('needs a url with https://', ['tls'])
    const tls = url.isTls ? readTls(form.tls, true, complain) : null
    const isIdentified = token !== null || (tls?.cert ?? null) !== null
    if (tls?.verify === false && isIdentified) {
      const what = 'false would send the token or certificate to a stranger: name the ca instead'
      complain(what, ['tls', 'verify'])
    }
    return { url: url.url, token, tls, ttlMs: form.ttl }
  },
  withFiles,
  placeOf: ({ url }) => `Sluice at ${url}`,
  refuse: (registration) => refuseRegistration(registration, 'sluice'),
  toEntry: (registration) =>
    toEntry(registration, { layout: 'sluice', prefix: '', isNumbered: false }),
  async openLinks({ url, token, tls, ttlMs }) {
    const { createSluiceLinks } = await client.load()
    const options: ClientOptions = {
      baseUrl: url,
      ...(token === null ? {} : { token }),
      ...(tls === null ? {} : { tls: toClientTls(tls) }),
    }
    return createSluiceLinks({ client: options, ttlMs })
  },
})

function toClientTls({
  ca,
  cert,
  key,
  serverName,
  verify,
}: RegistryTls): NonNullable<ClientOptions['tls']> {
  return {
    ...(ca === null ? {} : { ca }),
    ...(cert === null || key === null ? {} : { cert, key }),
    ...(serverName === null ? {} : { serverName }),
    ...(verify ? {} : { verify }),
  }
}

function parseUrl(value: unknown): Scalar<AdminUrl> {
  const form = `must be as ${NORMAL_URL} or unix:/run/sluice.sock`
  if (typeof value !== 'string') return bad(`${form}, not ${quote(value)}`)
  const [, path] = /^unix:(?:\/\/)?(\/.+)$/.exec(value) ?? []
  if (path !== undefined) {
    const socket = parseSocketPath(path)
    return socket.ok ? good({ url: `unix:${socket.value}`, isTls: false }) : socket
  }
  const [, scheme = '', rest = ''] = /^(https?):\/\/([^/?#]+)\/?$/i.exec(value) ?? []
  const address = rest === '' ? null : parseEndpoint(rest, NORMAL_PORT)
  if (address === null) {
    // Text before an @ is a secret.
    return bad(value.includes('@') ? `${form}, without a user` : `${form}, not ${quote(value)}`)
  }
  if (!address.ok) return address
  return good({
    url: `${scheme.toLowerCase()}://${address.value}`,
    isTls: scheme.toLowerCase() === 'https',
  })
}
