/** `acme` of the settings: opens the registry that keeps certificates, and joins its parts with control. */
import { join } from 'node:path'
import { createFileReader, withFiles } from '../control/sources/read-files.ts'
import type { SourceOptions } from '../control/sources/source.ts'
import { openLastGoodFile, savedBy } from '../control/sources/last-good.ts'
import { readAuthorities } from '../model/certificate.ts'
import type { AcmeSettings } from '../model/acme-settings.ts'
import type { Flaw } from '../model/parsed.ts'
import type { Settings, SourceSpec } from '../model/settings.ts'
import { sourceKindOf } from '../providers/catalog/sources.ts'
import { embedded } from '../providers/embedded/source.ts'
import type { Acme, AcmeOptions } from '../acme/acme.ts'
import type { Ask } from '../acme/ask.ts'
import { openKeysBelow } from './keys-below.ts'

type Joined = Omit<AcmeOptions, 'settings' | 'openKeys'> & {
  /** The data folder is this program's. */
  readonly owned: Promise<boolean>
}

/** Below the source's prefix. */
const FOLDER = 'acme'

export interface OpenedAcme {
  readonly acme: Acme
  /** Has a certificate ordered for a name that clients wait for, if it may be; undefined: none is ordered on demand. */
  readonly orderOnDemand: ((name: string) => Promise<boolean>) | undefined
  /** How control follows its certificates: after all others, and from disk while the registry is away. */
  readonly source: SourceOptions
}

/** Null: it is not in the settings. Throws if a file that they name cannot be used. */
export async function openAcme(
  config: string,
  { acme: settings, sources, data, resolver }: Settings,
  joined: Joined,
): Promise<OpenedAcme | null> {
  if (settings === null) return null
  const { createAcme } = await import('../acme/acme.ts')
  const place = { filename: config, data, resolver }
  const spec = chooseStore(settings.store, sources) ?? defaultStore(place)
  const whole = withFiles(spec, config)
  const ending = new AbortController()
  const ask = await openAsk(settings.onDemand, joined.log, ending.signal)
  const acme = createAcme({
    ...joined,
    ...(ask === null ? {} : { ask: ask.permits }),
    settings: withRoots(settings, config),
    openKeys: () => openKeysBelow(whole, FOLDER),
  })
  const { name } = acme.source
  const location = sourceKindOf(spec).locations(spec)
  return {
    acme: {
      ...acme,
      stop() {
        ending.abort()
        return acme.stop()
      },
    },
    orderOnDemand:
      ask === null
        ? undefined
        : async (name) =>
            (await ask.refusal(name)) === null && (await acme.request(name)) === 'there',
    source: {
      provider: acme.source,
      kind: name,
      required: true,
      // A registry that was wiped takes no certificate away at once.
      shrink: { holdMs: 10_000, share: 0.5, allowEmpty: false },
      lastGood: savedBy(
        openLastGoodFile({ folder: join(data, 'last-good'), source: name, location }),
        joined.owned,
      ),
    },
  }
}

async function openAsk(
  settings: AcmeSettings['onDemand'],
  log: Joined['log'],
  signal: AbortSignal,
): Promise<Ask | null> {
  if (settings === null) return null
  const { createAsk } = await import('../acme/ask.ts')
  return createAsk({
    url: settings.ask,
    perMinute: settings.perMinute,
    warn: (text) => log.warn({}, text),
    now: () => performance.now(),
    signal,
  })
}

/** The named source, or the first that can be written; null: none can. */
function chooseStore(name: string | null, sources: readonly SourceSpec[]): SourceSpec | null {
  const writable = sources.filter((spec) => sourceKindOf(spec).keys !== null)
  return (name === null ? writable[0] : writable.find((spec) => spec.name === name)) ?? null
}

function defaultStore(place: Parameters<typeof embedded.parse>[2]): SourceSpec {
  const parsed = embedded.parse('store', {}, place)
  if (parsed.ok) return parsed.value
  throw new Error(parsed.problems.map(({ message }) => message).join('; '))
}

function withRoots(acme: AcmeSettings, config: string): AcmeSettings {
  const read = createFileReader(config)
  const flaws: Flaw[] = []
  const issuers = acme.issuers.map((issuer, at) => {
    if (issuer.ca === null) return issuer
    return { ...issuer, ca: readAuthorities(issuer.ca, ['issuers', at, 'caFile'], read, flaws) }
  })
  if (flaws.length === 0) return { ...acme, issuers }
  throw new Error(flaws.map(({ message }) => `acme: caFile: ${message}`).join('; '))
}
