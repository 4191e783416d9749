/** The source `acme`: certificates that were ordered, declared as hosts. Other sources have precedence. */
import { hash } from 'node:crypto'
import { createNotifier } from '../providers/notifier.ts'
import type { Declaration, DeclaredObject, Provider } from '../providers/provider.ts'

export const ACME_SOURCE = 'acme'

export interface CertificateSource extends Provider {
  /** What is to be declared may have changed. */
  changed(): void
  /** The registry cannot be read; null: it can. */
  failed(error: Error | null): void
}

export interface ServedCertificate {
  readonly name: string
  readonly cert: string
  readonly key: string
  readonly revision: string
}

const MAX_ID = 128

/** `collect`: null until the registry was read. */
export function createCertificateSource(
  collect: () => readonly ServedCertificate[] | null,
): CertificateSource {
  const notifier = createNotifier()
  let failure: Error | null = null
  let isAsked = false

  function declare(listed: string): Declaration | null {
    const certificates = collect()
    if (certificates === null) return null
    const objects = certificates.map(toHost)
    const revision = hash('sha256', JSON.stringify(objects.map((one) => one.revision)), 'hex')
    return {
      readable: true,
      revision: revision.slice(0, 16),
      objects,
      changes: null,
      listed,
      problems: [],
      changedAt: performance.now(),
    }
  }

  async function* watch(signal: AbortSignal): AsyncGenerator<Declaration, void, undefined> {
    signal.addEventListener('abort', notifier.notify)
    try {
      let last = ''
      while (!signal.aborted) {
        if (failure !== null) throw failure
        const declaration = declare(last === '' ? 'first' : isAsked ? 'asked' : 'changed')
        if (declaration !== null && (isAsked || declaration.revision !== last)) {
          isAsked = false
          last = declaration.revision
          yield declaration
        }
        await notifier.wait()
      }
    } finally {
      signal.removeEventListener('abort', notifier.notify)
    }
  }

  return {
    name: ACME_SOURCE,
    watch,
    reload() {
      isAsked = true
      notifier.notify()
    },
    changed: notifier.notify,
    failed(error) {
      const isNew = (failure === null) !== (error === null)
      failure = error
      if (isNew) notifier.notify()
    },
  }
}

function toHost({ name, cert, key, revision }: ServedCertificate): DeclaredObject {
  return {
    kind: 'host',
    id: name.length <= MAX_ID ? name : `acme-${hash('sha256', name, 'hex').slice(0, 32)}`,
    value: { cert, key },
    key: `acme/certificates/${name}`,
    revision,
  }
}
