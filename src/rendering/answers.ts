/** Answers what templates ask: names of DNS, and values that are sealed for a keyring. */
import { Resolver } from 'node:dns'
import { isIP } from 'node:net'
import { NO_DATA, NO_NAME } from '../dns/answer.ts'
import { createDnsClient } from '../dns/client.ts'
import type { Resolver as Names } from '../dns/resolver.ts'
import { messageOf } from '../model/error-message.ts'
import { onDemand } from '../model/on-demand.ts'
import type { ResolverSettings } from '../model/settings.ts'
import type { SealedValues } from '../providers/layout.ts'
import type { Answer, Question } from '../template/questions.ts'

export interface Answerer {
  /** Never rejects. `keys`: those of the template, for values that are sealed. */
  answer(question: Question, sealed: SealedKeys | null): Promise<Answer>
}

export interface SealedKeys {
  readonly texts: ReadonlyMap<string, string>
  /** Armored secret keys; null: the template has none. */
  readonly keyring: string | null
}

/** Of one name, over all servers and attempts. */
const LOOKUP_MS = 10_000
/** With an underscore for a service. */
const NAME = /^(?!\.)[a-z0-9_.-]{1,253}$/i

/** Whether the resolver is asked for it. */
export function isLookedUp(name: string): boolean {
  return isIP(name) === 0 && NAME.test(name)
}

const opener = onDemand('openpgp', () => import('../providers/sealed/sealed-values.ts'))

export function createAnswerer(
  names: Pick<Names, 'addressesOf'>,
  { servers, timeoutMs, attempts }: ResolverSettings,
): Answerer {
  const ask = createDnsClient({
    servers: () => (servers.length > 0 ? servers : new Resolver().getServers()),
    timeoutMs,
    attempts,
  })
  /** By keyring: a keyring is opened once, and remembers what it has opened. */
  const keyrings = new Map<string, Promise<SealedValues>>()

  async function addressesOf(name: string): Promise<Answer> {
    if (isIP(name) !== 0) return { kind: 'addresses', addresses: [name] }
    if (!NAME.test(name)) return { kind: 'addresses', addresses: [] }
    try {
      const found = await within(LOOKUP_MS, names.addressesOf(name.toLowerCase()))
      return { kind: 'addresses', addresses: found }
    } catch (error) {
      const reason = messageOf(error)
      const isAbsent = reason.endsWith(NO_NAME) || reason.endsWith(NO_DATA)
      return isAbsent ? { kind: 'addresses', addresses: [] } : { kind: 'fault', reason }
    }
  }

  async function servicesOf({
    service,
    protocol,
    name,
  }: Extract<Question, { kind: 'services' }>): Promise<Answer> {
    const isWhole = service === '' && protocol === ''
    const whole = (isWhole ? name : `_${service}._${protocol}.${name}`).replace(/\.$/, '')
    if (!NAME.test(whole)) return { kind: 'services', services: [] }
    const found = await ask(whole.toLowerCase(), 'SRV', AbortSignal.timeout(LOOKUP_MS))
    if (found.kind === 'none') return { kind: 'services', services: [] }
    if (found.kind === 'failed') {
      return { kind: 'fault', reason: `${whole} cannot be resolved: ${found.reason}` }
    }
    const services = found.response.services.map(({ target, port, priority, weight }) => ({
      ...{ port, priority, weight },
      // As Go writes it.
      target: target.endsWith('.') ? target : `${target}.`,
    }))
    return { kind: 'services', services }
  }

  async function open(key: string, sealed: SealedKeys | null): Promise<Answer> {
    const text = sealed?.texts.get(key)
    if (text === undefined) return { kind: 'fault', reason: `key does not exist: ${key}` }
    const keyring = sealed?.keyring ?? null
    if (keyring === null)
      return { kind: 'fault', reason: 'cannot be opened: there is no keyring (decrypt.keyring)' }
    try {
      const values = await openKeyring(keyring)
      const entry = { path: key, key, text }
      if (!values.isSealed(entry)) return { kind: 'fault', reason: 'is not sealed' }
      const opened = await values.open(entry)
      return opened.text === null
        ? { kind: 'fault', reason: opened.fault ?? 'cannot be opened' }
        : { kind: 'opened', text: opened.text }
    } catch (error) {
      return { kind: 'fault', reason: messageOf(error) }
    }
  }

  function openKeyring(keyring: string): Promise<SealedValues> {
    const known = keyrings.get(keyring)
    if (known !== undefined) return known
    const opening = opener
      .load()
      .then(({ createSealedValues }) => createSealedValues({ keyring, keys: ['**'], mode: 'auto' }))
    keyrings.set(keyring, opening)
    return opening
  }

  return {
    answer(question, sealed) {
      switch (question.kind) {
        case 'addresses':
          return addressesOf(question.name)
        case 'services':
          return servicesOf(question)
        case 'opened':
          return open(question.key, sealed)
        default:
          return question satisfies never
      }
    },
  }
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1000} s`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
