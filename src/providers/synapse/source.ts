/** A configuration file of synapse (SmartStack) or of frontrunner: its services on their own ports. */
import { dirname } from 'node:path'
import { onDemand } from '../../model/on-demand.ts'
import type { ResolverSettings, SourceSpec } from '../../model/settings.ts'
import { text } from '../../options/fields.ts'
import { beside, defineSource, pathLocations, type SourceKind } from '../source-kind.ts'

export interface SynapseSource extends SourceSpec {
  readonly file: string
  readonly resolver: ResolverSettings
}

const provider = onDemand('the reader of synapse', () => import('./open-config.ts'))

export const synapse: SourceKind = defineSource({
  kind: 'synapse',
  description: 'A configuration file of synapse (SmartStack) or of frontrunner.',
  options: {
    file: text('The file, in JSON or YAML. Relative to this file.', 4096),
  },
  read: (form, _complain, { filename, resolver }) => ({
    file: beside(filename, form.file),
    resolver,
  }),
  locations: (spec) => pathLocations('synapse', spec.file),
  path: (spec) => spec.file,
  // Of certificates and authorities in its lines.
  directory: (spec) => dirname(spec.file),
  async open(spec) {
    const { openConfig } = await provider.load()
    return openConfig(spec)
  },
})
