/** A document that an HTTP server has: the file's form, or that of Traefik's HTTP provider. */
import * as z from 'zod'
import { onDemand } from '../../model/on-demand.ts'
import { bad, good, type Scalar } from '../../model/parsed.ts'
import type { SourceSpec } from '../../model/settings.ts'
import { headerValues } from '../../options/header-fields.ts'
import { scalar, size, span } from '../../options/fields.ts'
import { withRegistryFiles } from '../registry/options.ts'
import { readTls, tlsOption, type RegistryTls } from '../registry/tls.ts'
import { defineSource, type SourceKind } from '../source-kind.ts'
import { shownPath } from './shown-path.ts'

export type DocumentFormat = 'sluice' | 'traefik'

export interface HttpDocumentOptions {
  /** `https://host:port` */
  readonly origin: string
  /** With the query, which may hold secrets. */
  readonly path: string
  readonly format: DocumentFormat
  readonly headers: Readonly<Record<string, string>>
  readonly tls: RegistryTls | null
  readonly intervalMs: number
  /** Null: the server responds at once. */
  readonly waitMs: number | null
  readonly timeoutMs: number
  readonly maxBytes: number
}

export type HttpDocumentSource = SourceSpec & HttpDocumentOptions

const client = onDemand('the HTTP source', () => import('./http-provider.ts'))

const url = scalar(parseUrl, {
  type: 'string',
  format: 'uri',
  description: 'The http or https URL of the document. Redirects are not followed.',
})

export const http: SourceKind = defineSource({
  kind: 'http',
  description: 'A document that an HTTP server has.',
  options: {
    url,
    format: z.enum(['sluice', 'traefik']).default('sluice').meta({
      description:
        'sluice: sections as in the file, in JSON or YAML. traefik: the dynamic configuration of its HTTP and file providers.',
    }),
    headers: headerValues('Headers of each request, such as Authorization.'),
    ...tlsOption,
    interval: span('Between requests.', 100).prefault('5s'),
    wait: span(
      'Long polling: the server may hold a request for this time until the document changes (Prefer: wait).',
      1_000,
      600_000,
    ).optional(),
    timeout: span('Of a response, in addition to wait.', 100, 60_000).prefault('4s'),
    maxSize: size('Of the document.', '4MiB', 1_024, 64 << 20),
  },
  read({ url, format, headers, tls, interval, wait, timeout, maxSize }, complain) {
    const isTls = url.protocol === 'https:'
    if (!isTls && tls !== undefined) complain('needs an https url', ['tls'])
    return {
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      format,
      headers,
      tls: readTls(tls, isTls, complain),
      intervalMs: interval,
      waitMs: wait ?? null,
      timeoutMs: timeout,
      maxBytes: maxSize,
    } satisfies HttpDocumentOptions
  },
  locations: ({ origin, path, format }) => [`http ${origin}${shownPath(path)}, ${format}`],
  withFiles: withRegistryFiles,
  async open(spec, loadLayout) {
    const { createHttpProvider } = await client.load()
    const { name, kind, format } = spec
    // As in shop@NAME, shop@http and shop@file.
    const layout =
      format === 'traefik' ? await loadLayout({ layout: format, sealKey: null, kind }) : null
    return createHttpProvider({ ...spec, name }, layout)
  },
})

function parseUrl(value: unknown): Scalar<URL> {
  // The text is not quoted: it may hold a password.
  const form = 'must be an http or https URL such as https://config.example/sluice.yaml'
  if (typeof value !== 'string' || value.length > 2_048 || !/^https?:\/\/[^\s]+$/i.test(value)) {
    return bad(form)
  }
  try {
    const url = new URL(value)
    if (url.username !== '' || url.password !== '') {
      return bad('must have no password in it; set the header Authorization')
    }
    return good(url)
  } catch {
    return bad(form)
  }
}
