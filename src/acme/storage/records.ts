/**
 * What is kept in the registry, below its prefix, as JSON. A key a record, so that each is small and is written by itself:
 *
 *   acme/accounts/ISSUER       the key and the URL of the account
 *   acme/certificates/NAME     chain, key, and when to renew
 *   acme/orders/NAME           an order under way: who holds it, its URL, the new key, the challenges
 *   acme/failures/NAME         by issuer: how often it failed, and when it is tried again
 *   acme/changes               the paths of the records that changed last
 *
 * The record of an order is also the lock of its name. `*.` of a wildcard is written `_.`.
 */
import { hash, X509Certificate } from 'node:crypto'
import * as z from 'zod'
import type { AcmeIssuer } from '../../model/acme-settings.ts'

export interface AccountRecord {
  readonly directory: string
  /** PEM, as all keys here. */
  readonly key: string
  /** Null: it is not registered yet. */
  readonly url: string | null
  /** The address that the issuer has; null: none. Missing: it is not known, as in records of former versions. */
  readonly email?: string | null | undefined
}

/** When the issuer wants a certificate to be renewed (ARI). All times are ms since the epoch. */
export interface RenewalWindow {
  readonly start: number
  readonly end: number
  /** One moment in it, for all instances. */
  readonly moment: number
  readonly explanation: string | null
  /** When the issuer is asked again. */
  readonly lookAt: number
}

export interface CertificateRecord {
  readonly cert: string
  readonly key: string
  readonly directory: string
  readonly obtainedAt: number
  /** Null: the issuer does not say, or was not asked yet. */
  readonly window: RenewalWindow | null
}

export interface ChallengeRecord {
  readonly kind: 'http-01' | 'tls-alpn-01' | 'dns-01'
  /** Of the authorization: a wildcard's without `*.`. */
  readonly name: string
  readonly token: string
  readonly keyAuthorization: string
}

export interface OrderRecord {
  /** The instance that holds it, and a number that grows while it does. */
  readonly holder: string
  readonly beat: number
  readonly startedAt: number
  /** Null until the issuer has it. */
  readonly order: { readonly directory: string; readonly url: string; readonly key: string } | null
  readonly challenges: readonly ChallengeRecord[]
}

export interface Failure {
  /** In a row. */
  readonly count: number
  readonly at: number
  readonly retryAt: number
  readonly type: string
  readonly detail: string
}
/** By directory. */
export type FailureRecord = Readonly<Record<string, Failure>>

export interface ChangeRecord {
  /** Of the last one. */
  readonly number: number
  /** The last ones, the newest last. */
  readonly paths: readonly string[]
}

export interface RecordOf {
  readonly accounts: AccountRecord
  readonly certificates: CertificateRecord
  readonly orders: OrderRecord
  readonly failures: FailureRecord
}
export type RecordKind = keyof RecordOf

const text: z.ZodType<string> = z.string().max(262_144)
const time = z.number()
const chain: z.ZodType<string> = z
  .string()
  .max(262_144)
  .refine(isCertificate, 'is no certificate in PEM')
const window: z.ZodType<RenewalWindow> = z.object({
  ...{ start: time, end: time, moment: time, lookAt: time },
  explanation: text.nullable(),
})
const challenge: z.ZodType<ChallengeRecord> = z.object({
  kind: z.enum(['http-01', 'tls-alpn-01', 'dns-01']),
  ...{ name: text, token: text, keyAuthorization: text },
})
const failure: z.ZodType<Failure> = z.object({
  ...{ count: z.number(), at: time, retryAt: time, type: text, detail: text },
})

export const SCHEMAS: { readonly [Kind in RecordKind]: z.ZodType<RecordOf[Kind]> } = {
  accounts: z.object({
    ...{ directory: text, key: text, url: text.nullable() },
    email: text.nullable().optional(),
  }),
  certificates: z.object({
    ...{ cert: chain, key: text, directory: text, obtainedAt: time },
    window: window.nullable(),
  }),
  orders: z.object({
    ...{ holder: text, beat: z.number(), startedAt: time },
    order: z.object({ directory: text, url: text, key: text }).nullable(),
    challenges: z.array(challenge).max(200),
  }),
  failures: z.record(z.string(), failure),
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).validToDate.getTime() > 0
  } catch {
    return false
  }
}

export const CHANGES = 'changes'
export const changesSchema: z.ZodType<ChangeRecord> = z.object({
  number: z.number(),
  paths: z.array(text),
})

/** It has no private key. */
export function isOpen(kind: RecordKind): boolean {
  return kind === 'failures'
}

export function pathOf(kind: RecordKind, name: string): string {
  return `${kind}/${name.replace(/^\*\./, '_.')}`
}

/** Null: it is no record. */
export function nameOf(path: string): { readonly kind: RecordKind; readonly name: string } | null {
  const [kind = '', name = '', ...more] = path.split('/')
  if (!Object.hasOwn(SCHEMAS, kind) || name === '' || more.length > 0) return null
  return { kind: kind as RecordKind, name: name.replace(/^_\./, '*.') }
}

/** The name of an issuer's account in a path: an account of another external account is another one. */
export function accountName({ directory, externalAccount }: AcmeIssuer): string {
  const { hostname } = new URL(directory)
  const digest = hash('sha256', JSON.stringify([directory, externalAccount?.keyId ?? null]), 'hex')
  return `${hostname}-${digest.slice(0, 12)}`
}
