/** A directory of certificates, as certbot, lego and mounted secrets have it. */
import type { SourceSpec } from '../../model/settings.ts'
import { text } from '../../options/fields.ts'
import { beside, defineSource, pathLocations, type SourceKind } from '../source-kind.ts'
import { createCertificatesProvider } from './certificates-provider.ts'

export interface CertificatesSource extends SourceSpec {
  readonly directory: string
}

export const certificates: SourceKind = defineSource({
  kind: 'certificates',
  description: 'A directory of certificates and their keys, each of which is a host.',
  options: {
    directory: text(
      'Holds NAME.crt (or NAME.pem) with NAME.key, and folders with fullchain.pem and privkey.pem, or tls.crt and tls.key. Relative to this file.',
      4096,
    ),
  },
  read: (form, _complain, { filename }) => ({ directory: beside(filename, form.directory) }),
  locations: (spec) => pathLocations('directory', spec.directory),
  path: (spec) => spec.directory,
  directory: (spec) => spec.directory,
  open: (spec) => Promise.resolve(createCertificatesProvider(spec)),
})
