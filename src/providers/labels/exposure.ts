/** Which instances are read at all. */
import { quote } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import { problemAt } from './definition.ts'
import type { Labelled, LabelRules } from './labelled.ts'

/** The switches, the first one that is written decides. Traefik's labels may be in any case. */
const SWITCHES = ['sluice.enable', 'traefik.enable']
/** Labels of a route, which do nothing while the instance is not read. */
const ROUTES = /^(?:sluice\.(?!enable$)|traefik\.http\.)/i

export interface Exposure {
  readonly isExposed: boolean
  readonly problems: readonly Problem[]
}

export function exposureOf(
  { key, labels }: Pick<Labelled, 'key' | 'labels'>,
  { exposedByDefault, constraint }: Pick<LabelRules, 'exposedByDefault' | 'constraint'>,
): Exposure {
  const hidden = { isExposed: false, problems: [] }
  // Outside of the constraint is what other proxies read.
  if (constraint !== null && !constraint(labels)) return hidden
  for (const name of SWITCHES) {
    const text = textOf(labels, name)
    if (text === null) continue
    const isOn = readSwitch(text)
    if (isOn !== null) return { isExposed: isOn, problems: [] }
    const message = `label ${quote(name)} must be true or false, not ${quote(text)}; nothing of it is read`
    return { isExposed: false, problems: [problemAt(key, message)] }
  }
  if (exposedByDefault) return { isExposed: true, problems: [] }
  const [label] = [...labels.keys()].filter((name) => ROUTES.test(name)).sort()
  if (label === undefined) return hidden
  const language = /^sluice\./i.test(label) ? 'sluice' : 'traefik'
  const message = `has ${quote(label)}, but no ${language}.enable: true, so that nothing of it is read (exposedByDefault is false)`
  return { isExposed: false, problems: [problemAt(key, message, 'hint')] }
}

function textOf(labels: ReadonlyMap<string, string>, name: string): string | null {
  const exact = labels.get(name)
  if (exact !== undefined) return exact
  for (const [written, text] of labels) if (written.toLowerCase() === name) return text
  return null
}

/** Null: there is no such label, or it is neither. */
export function switchOf(labels: ReadonlyMap<string, string>, name: string): boolean | null {
  const text = textOf(labels, name)
  return text === null ? null : readSwitch(text)
}

/** As in Traefik; null: neither. */
function readSwitch(text: string): boolean | null {
  const found = text.trim().toLowerCase()
  if (['true', '1', 't'].includes(found)) return true
  return ['false', '0', 'f'].includes(found) ? false : null
}
