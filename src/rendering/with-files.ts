/** Templates with the text of the files that the sources of their keys name: authorities, certificates, keyrings. */
import type { ReadPem } from '../model/certificate.ts'
import { messageOf } from '../model/error-message.ts'
import type { SourceSpec } from '../model/settings.ts'
import type { KeyRegistry, TemplateSettings } from '../model/template-settings.ts'
import { KEY_KINDS } from '../providers/keys/key-source.ts'

/** Those whose files cannot be read are left out. */
export function withFiles(
  templates: readonly TemplateSettings[],
  read: ReadPem,
  onRefused: (template: TemplateSettings, reason: string) => void,
): readonly TemplateSettings[] {
  return templates.flatMap((template) => {
    const { keys } = template
    if (keys === null || keys.source.kind !== 'registry') return template
    try {
      return { ...template, keys: { ...keys, source: openFiles(keys.source, read) } }
    } catch (error) {
      onRefused(template, messageOf(error))
      return []
    }
  })
}

function openFiles(registry: KeyRegistry, read: ReadPem): KeyRegistry {
  const { source, keyring } = registry
  const kind = KEY_KINDS.find((one) => one.kind === source.kind)
  if (kind === undefined) return registry
  // As of a source of objects, which has its keyring among its options.
  const whole: SourceSpec =
    keyring === null ? source : { ...source, ...{ decrypt: { keyring, keys: [], mode: 'auto' } } }
  const opened = kind.withFiles(whole, read)
  if (!opened.ok) {
    const reasons = opened.problems.map(({ message }) => message)
    throw new Error(reasons.map((one) => one.replace(/^sources\.keys\./, '')).join('; '))
  }
  const { decrypt, ...rest } = opened.value as SourceSpec & {
    readonly decrypt?: { readonly keyring: string }
  }
  return { ...registry, source: rest, keyring: decrypt?.keyring ?? null }
}
