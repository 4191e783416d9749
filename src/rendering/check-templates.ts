/** `sluice check`: templates of the settings that cannot be parsed, each at its place in the file. */
import type { WrittenSettings } from '../document/document.ts'
import { messageOf } from '../model/error-message.ts'
import type { Path } from '../model/parsed.ts'
import type { Problem } from '../model/problem.ts'
import type { Settings } from '../model/settings.ts'
import type { TemplateSettings } from '../model/template-settings.ts'
import { TemplateError } from '../template/value.ts'
import { checkCommand } from './apply.ts'
import { refuseTemplate } from './make-text.ts'
import { readTemplate } from './template-text.ts'

export function checkTemplates(
  { templates }: Pick<Settings, 'templates'>,
  { locateSetting }: Pick<WrittenSettings, 'locateSetting'>,
  filename: string,
): readonly Problem[] {
  return templates.flatMap((template) => {
    return [...faultsOf(template)].map(([member, reason]): Problem => {
      const path: Path = ['templates', template.name, member]
      const message = `${path.join('.')}: ${reason}`
      const key = `${filename}#/${path.join('/')}`
      return { kind: 'settings', id: '', message, source: 'file', key, ...locateSetting(path) }
    })
  })
}

/** The member of the template, and what is wrong with it. */
function* faultsOf(template: TemplateSettings): Generator<readonly [string, string]> {
  const isInline = 'inline' in template.text
  const member = isInline ? 'template' : 'src'
  try {
    const has = { keys: template.keys !== null, table: true }
    const refused = refuseTemplate(readTemplate(template), has)
    const place = 'path' in template.text ? `${template.text.path}: ` : ''
    if (refused !== null) yield [member, place + refused]
  } catch (error) {
    yield [member, messageOf(error)]
  }
  if (template.check === null) return
  try {
    checkCommand(template.check, 'staged')
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    yield ['check', `is no template of {{.src}}: ${error.message}`]
  }
}
