/** TLS of a router: its options are those of a host with the names of its rule. */
import { quote } from '../../../model/parsed.ts'
import type { FailClosed } from '../../fail-closed.ts'
import { TranslationError, type Translation } from '../translation.ts'
import type { Branch } from './branch.ts'
import type { MiddlewareForm } from './middleware.ts'
import { hostsOfRule } from './rule-hosts.ts'
import type { Neighbours } from './router.ts'
import { ruleSyntax } from './rule-syntax.ts'
import { translateTlsOptions, type TranslatedTlsOptions } from './tls-options.ts'

export interface RouterTls {
  readonly host: Translation['host']
  /** Outermost. */
  readonly guards: readonly MiddlewareForm[]
  readonly remarks: readonly string[]
}

const LISTENERS = 'tls is not honoured: a listener has its protocol and certificates'

export function hasTls(router: Branch): boolean {
  return router.below('tls').length > 0 || !['false', null].includes(router.text('tls'))
}

/** The options that a router names, else the default ones; null: there are none. */
export function tlsOptionsOf(
  router: Branch,
  neighbours: Pick<Neighbours, 'tlsOptions'>,
): TranslatedTlsOptions | null {
  const named = router.text('tls/options') ?? ''
  // Those of this name need no source, and are there by themselves.
  const name = named === '' ? DEFAULT : named.replace(/^default@.*/i, DEFAULT)
  const options = neighbours.tlsOptions(name)
  if (options === null) {
    if (name === DEFAULT) return null
    throw new TranslationError(`tls/options: ${quote(named)} is not declared`)
  }
  try {
    return translateTlsOptions(options)
  } catch (error) {
    if (!(error instanceof TranslationError)) throw error
    throw new TranslationError(`tls/options ${quote(name)}: ${error.message}`, { cause: error })
  }
}

const DEFAULT = 'default'

export function translateRouterTls(router: Branch, neighbours: Neighbours): RouterTls {
  const options = tlsOptionsOf(router, neighbours)
  if (options === null) return { host: undefined, guards: [], remarks: [LISTENERS] }
  const { tls, needsCertificate } = options
  const remarks = [LISTENERS, ...options.remarks.map((remark) => `tls/options: ${remark}`)]
  if (Object.keys(tls).length === 0) return { host: undefined, guards: [], remarks }
  const names = hostsOfRule(router.text('rule') ?? '', ruleSyntax(router))
  if (names === null) {
    if ('clientAuth' in tls) {
      throw new TranslationError(
        'tls/options: clientauth needs a rule that is for certain hosts, such as Host(`a.example`)',
      )
    }
    const help = 'the rule is not for certain hosts; set tls of the listener'
    return {
      host: undefined,
      guards: [],
      remarks: [...remarks, `tls/options is not honoured: ${help}`],
    }
  }
  return {
    host: { value: { names, tls }, ...(needsCertificate ? { closed: closedHost(names) } : {}) },
    // Also of requests without TLS, or on a connection that began before.
    guards: needsCertificate ? [{ kind: 'clientcert', required: true }] : [],
    remarks,
  }
}

/** A certificate that is only shown, and not verified, passes no guard of a route. */
function closedHost(names: readonly string[]): FailClosed {
  return { values: [{ names, tls: { clientAuth: { mode: 'require' } } }], after: 'last-good' }
}
