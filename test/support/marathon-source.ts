/** A source of kind marathon as its options are read, and its translation of apps. */
import { parseAppList } from '../../src/providers/marathon/app.ts'
import {
  createTranslator,
  type TranslatorOptions,
} from '../../src/providers/marathon/translator.ts'
import type { LabelledObjects } from './labelled.ts'
import type { Json } from './marathon-apps.ts'
import type {
  MarathonOptions,
  MarathonSource,
} from '../../src/providers/marathon/marathon-provider.ts'

export function marathonSource(
  endpoints: readonly string[],
  options: Partial<MarathonOptions> = {},
): MarathonSource {
  return {
    kind: 'marathon',
    name: 'marathon',
    required: true,
    shrink: { holdMs: 10_000, share: 0.5, allowEmpty: false },
    endpoints,
    path: '',
    authorization: null,
    tls: null,
    groups: ['external'],
    servicePorts: null,
    serviceMode: 'http',
    labels: {
      exposedByDefault: false,
      constraint: null,
      defaultRule: null,
      listen: null,
      virtualHost: false,
    },
    read: 'apps',
    pollMs: null,
    ...options,
  }
}

/** What one reading of these apps declares. */
export function translateApps(
  apps: readonly Json[],
  options: Partial<TranslatorOptions> = {},
): LabelledObjects {
  const { labels, groups, servicePorts, serviceMode } = marathonSource([])
  const translator = createTranslator({
    labels,
    groups,
    servicePorts,
    serviceMode,
    source: 'marathon',
    ...options,
  })
  const parsed = parseAppList(JSON.parse(JSON.stringify({ apps })))
  const { objects, problems } = translator.translate(parsed.apps, parsed.faults)
  return { objects: [...objects], problems }
}
