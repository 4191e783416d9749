/** The files that a source names, read at a start: a spec's paths become PEM text. */
import { readAuthorities, readCertificate, type ReadPem } from './certificate.ts'
import { refuse, type Flaw, type Parsed } from '../model/parsed.ts'
import type { RegistryTls, SourceSpec } from '../model/source-spec.ts'

export function readSourceFiles(spec: SourceSpec, read: ReadPem): Parsed<SourceSpec> {
  if (spec.kind === 'files' || spec.kind === 'store' || spec.tls === null) {
    return { ok: true, value: spec }
  }
  const flaws: Flaw[] = []
  const tls = readTls(spec.tls, ['sources', spec.name, 'tls'], read, flaws)
  return flaws.length > 0 ? refuse(flaws) : { ok: true, value: { ...spec, tls } }
}

function readTls(
  paths: RegistryTls,
  at: readonly string[],
  read: ReadPem,
  flaws: Flaw[],
): RegistryTls {
  const { cert, key } = paths
  const ca = paths.ca === null ? null : readAuthorities(paths.ca, [...at, 'ca'], read, flaws)
  const pair =
    cert === null || key === null ? null : readCertificate({ cert, key }, at, read, flaws)
  return { ...paths, ca, cert: pair?.cert ?? null, key: pair?.key ?? null }
}
