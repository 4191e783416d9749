/** Flags that several commands of vctl have, and their values as the API takes them. */
import { quote } from '../../model/parsed.ts'
import type { JsonMap } from '../../model/parsed.ts'
import { parseGoDuration } from '../../model/go-duration.ts'
import { JSON_FLAG, PLACE_FLAGS } from '../place-words.ts'
import type { Completes, Flag, Flags, Words } from '../spec.ts'

/** Of every command. */
export const COMMON: Flags = { json: JSON_FLAG, ...PLACE_FLAGS }

export const TTL: Flag = {
  value: 'DURATION',
  text: 'the object expires unless it is upserted again: 10s, 1m30s',
}

export function idFlag(completes: Completes): Flag {
  return { value: 'ID', text: `of the ${String(completes)}`, completes }
}

export const BACKEND_FLAG: Flag = {
  ...{ value: 'ID', text: 'of the backend', aliases: ['b'], completes: 'backend' },
}

export const FRONTEND_FLAG: Flag = {
  ...{ value: 'ID', text: 'of the frontend', aliases: ['f'], completes: 'frontend' },
}

const VERSIONS = ['VersionTLS10', 'VersionTLS11', 'VersionTLS12', 'VersionTLS13']

export const TLS_FLAGS: Flags = {
  tlsSkipVerify: { value: '', text: 'insecure: certificates are not verified' },
  tlsPreferServerCS: { value: '', text: 'the order of cipher suites of the server counts' },
  tlsSessionTicketsOff: { value: '', text: 'no session tickets' },
  tlsMinV: { value: 'VERSION', text: 'the least version: VersionTLS12', completes: VERSIONS },
  tlsMaxV: { value: 'VERSION', text: 'the greatest version', completes: VERSIONS },
  tlsSessionCache: { value: 'TYPE', text: 'the cache of sessions', completes: ['LRU'] },
  tlsSessionCacheCapacity: { value: 'N', text: 'sessions in the cache' },
  tlsCS: { value: 'SUITE', text: 'a cipher suite, preferred ones first', isRepeated: true },
}

/** What is wrong with the words of a command. */
export class Mistake extends Error {}

export function required({ flags }: Words, name: string, command: string): string {
  const value = flags[name]
  if (value !== undefined && value !== '') return value
  throw new Mistake(`${command} needs --${name}`)
}

export function wholeOf({ flags }: Words, name: string, normal: number): number {
  const text = flags[name]
  if (text === undefined) return normal
  if (/^[+-]?\d{1,15}$/.test(text)) return Number(text)
  throw new Mistake(`--${name} must be a whole number, not ${quote(text)}`)
}

/** In Go's form; '': without the flag. */
export function durationOf(words: Words, name: string): string {
  const text = words.flags[name]
  if (text === undefined) return ''
  nanosecondsOf(words, name, text)
  return text
}

export function nanosecondsOf({ flags }: Words, name: string, normal: string): number {
  const ms = parseGoDuration(flags[name] ?? normal)
  if (typeof ms === 'string') throw new Mistake(`--${name} ${ms}`)
  return Math.round(ms * 1e6)
}

/** Null: it does not expire. vctl sends 0s for that. */
export function ttlOf(words: Words): string | null {
  const ns = nanosecondsOf(words, 'ttl', '0')
  if (ns < 0) throw new Mistake(`--ttl must not be negative`)
  return ns === 0 ? null : durationOf(words, 'ttl')
}

export function allOf({ given }: Words, name: string): readonly string[] {
  return given.flatMap(([flag, value]) => (flag === name ? [value] : []))
}

/** `{}` unless a flag of TLS is given. */
export function tlsOf(words: Words): { readonly TLS?: JsonMap } {
  const { flags } = words
  if (!Object.keys(TLS_FLAGS).some((name) => flags[name] !== undefined)) return {}
  const suites = allOf(words, 'tlsCS')
  const cache = flags['tlsSessionCache'] ?? ''
  return {
    TLS: {
      PreferServerCipherSuites: 'tlsPreferServerCS' in flags,
      InsecureSkipVerify: 'tlsSkipVerify' in flags,
      MinVersion: flags['tlsMinV'] ?? '',
      MaxVersion: flags['tlsMaxV'] ?? '',
      SessionTicketsDisabled: 'tlsSessionTicketsOff' in flags,
      SessionCache: {
        Type: cache,
        Settings: cache === '' ? null : { Capacity: wholeOf(words, 'tlsSessionCacheCapacity', 0) },
      },
      CipherSuites: suites.length === 0 ? null : suites,
    },
  }
}
