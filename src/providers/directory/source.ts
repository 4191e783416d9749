/** A directory of YAML and JSON files, each of which declares objects as the main file does. */
import type { SourceSpec } from '../../model/settings.ts'
import { text } from '../../options/fields.ts'
import { beside, defineSource, pathLocations, type SourceKind } from '../source-kind.ts'
import { createDirectoryProvider } from './directory-provider.ts'

export interface FilesSource extends SourceSpec {
  readonly directory: string
}

export const directory: SourceKind = defineSource({
  kind: 'files',
  description: 'A directory of files, each with sections of objects.',
  options: {
    directory: text('Its *.yaml, *.yml and *.json files are read. Relative to this file.', 4096),
  },
  read: (form, _complain, { filename }) => ({ directory: beside(filename, form.directory) }),
  locations: (spec) => pathLocations('directory', spec.directory),
  path: (spec) => spec.directory,
  directory: (spec) => spec.directory,
  open: (spec) => Promise.resolve(createDirectoryProvider(spec)),
})
