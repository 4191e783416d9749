/** An admin over an embedded store in a folder of its own, without a program around it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { AccessSettings } from '../../src/admin/access.ts'
import type { Endpoint } from '../../src/admin/endpoint.ts'
import { describeApi } from '../../src/admin/description.ts'
import { drainEndpoints } from '../../src/admin/objects/drain.ts'
import { objectEndpoints } from '../../src/admin/objects/endpoints.ts'
import { createObjectService, type ObjectService } from '../../src/admin/objects/object-service.ts'
import type { AdminCertificate } from '../../src/admin/listening.ts'
import { createAdmin } from '../../src/admin/server.ts'
import type { StatusOf } from '../../src/control/object-status.ts'
import { createWriter, type Writer, type WrittenLayout } from '../../src/control/writing/writer.ts'
import { NO_ACME } from '../../src/observe/reports/acme-report.ts'
import { loadLayout } from '../../src/providers/catalog/layouts.ts'
import { openEmbeddedKeyStore } from '../../src/providers/embedded/embedded-provider.ts'
import type { KeyStore } from '../../src/providers/store.ts'
import { createJudge, type Description } from './openapi.ts'

export interface ObjectsSite {
  readonly origin: string
  readonly writer: Writer
  readonly keys: KeyStore
  readonly endpoints: readonly Endpoint[]
  readonly logged: readonly { readonly fields: object; readonly message: string }[]
  fetch(path: string, options?: RequestInit): Promise<Response>
  /** With a body as JSON, unless it is text. */
  send(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Response>
}

export interface ObjectsSiteOptions {
  readonly layout?: WrittenLayout
  readonly sealKey?: string
  readonly keys?: KeyStore
  /** Absent: all are in force. */
  readonly statusOf?: StatusOf
  readonly access?: Partial<AccessSettings>
  /** Instead of `access`: may return others later. */
  readonly accessNow?: () => Partial<AccessSettings>
  /** Bodies are not held against their schemas, which are narrower than what is taken: null for a member that is left out. */
  readonly sendsMutations?: boolean
  readonly certificate?: AdminCertificate
  /** The path of a unix socket beside the address. */
  readonly socket?: string
  readonly endpoints?: (service: ObjectService) => readonly Endpoint[]
}

export async function startObjectsSite(
  t: TestContext,
  options: ObjectsSiteOptions = {},
): Promise<ObjectsSite> {
  const { layout: form = 'sluice', sealKey = null } = options
  const folder = mkdtempSync(join(tmpdir(), 'sluice-objects-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const keys = options.keys ?? (await openEmbeddedKeyStore(join(folder, 'store.db')))
  const choice = { layout: form, sealKey, kind: 'store' }
  const writer = createWriter({
    source: 'store',
    form,
    choice,
    layout: await loadLayout(choice),
    open: () => Promise.resolve(keys),
    read() {
      throw new Error('no file is read')
    },
  })
  t.after(() => writer.close())
  const service = createObjectService({
    openWriter: () => Promise.resolve(writer),
    statusOf: options.statusOf ?? (() => ({ state: 'in-force', reasons: [], inForce: null })),
    whenInForce: () => Promise.resolve(),
  })
  const logged: { fields: object; message: string }[] = []
  const log = (fields: object, message: string): number => logged.push({ fields, message })
  const address = { host: '127.0.0.1', port: 0 }
  const open: AccessSettings = { address, tokens: [], tls: null, anonymous: null }
  const access = { ...open, ...options.access }
  const { accessNow } = options
  const endpoints = options.endpoints?.(service) ?? [
    ...objectEndpoints(service),
    ...drainEndpoints(service),
  ]
  const admin = await createAdmin({
    address,
    access: accessNow === undefined ? () => access : () => ({ ...open, ...accessNow() }),
    table: () => ({ objects: [], setAside: [] }),
    certificates: { certificates: () => [], acme: () => NO_ACME },
    servers: { servers: () => [], breakers: () => [] },
    metrics: { contentType: 'text/plain', render: async () => '' },
    ready: () => ({ ready: true, reason: 'ready', notListening: [] }),
    providers: () => [],
    confirm: () => 'unknown',
    reload: () => false,
    endpoints,
    log: { debug: log, info: log, warn: log, error: log },
    certificate: options.certificate ?? null,
    socket: options.socket ?? null,
  })
  t.after(() => admin.close())
  const scheme = options.certificate === undefined ? 'http' : 'https'
  const origin = `${scheme}://127.0.0.1:${admin.address.port}`
  const judge = createJudge(
    JSON.parse(JSON.stringify(await describeApi(admin.endpoints, '0'))) as Description,
    form === 'sluice' && options.sendsMutations !== true,
  )
  /** Every exchange is as the description of the API says. */
  async function ask(path: string, asked: RequestInit = {}): Promise<Response> {
    const response = await fetch(origin + path, asked)
    const isStream = response.headers.get('content-type') === 'text/event-stream'
    const { method = 'GET', body } = asked
    const faults = judge.faultsOf({
      ...{ method, path, status: response.status, headers: response.headers },
      requestBody: typeof body === 'string' ? body : null,
      body: isStream ? '' : await response.clone().text(),
    })
    assert.deepEqual(faults, [])
    return response
  }
  return {
    origin,
    writer,
    keys,
    endpoints: admin.endpoints,
    logged,
    fetch: ask,
    send: (method, path, body, headers = {}) =>
      ask(path, {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
  }
}
