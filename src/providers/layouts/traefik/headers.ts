/**
 * Translates Traefik's middleware `headers`: custom headers, and the headers that tell browsers to be careful. CORS is only
 * remarked, because without its headers browsers refuse more. Any other option, such as the allowed hosts, closes the routers.
 */
import { quote } from '../../../model/parsed.ts'
import { TranslationError } from '../translation.ts'
import { remarkUnknown, type Branch } from './branch.ts'
import type { MiddlewareForm } from './middleware.ts'

/** CORS. */
const HARMLESS = [
  ...['accesscontrolallowcredentials', 'accesscontrolallowheaders', 'accesscontrolallowmethods'],
  ...['accesscontrolalloworiginlist', 'accesscontrolalloworiginlistregex', 'addvaryheader'],
  ...['accesscontrolexposeheaders', 'accesscontrolmaxage'],
]
/** They have no effect without options that are translated, or had one in Traefik 2 only. */
const SILENT = ['sslproxyheaders', 'stsincludesubdomains', 'stspreload', 'forcestsheader']
const OF_VERSION_2 = [
  'sslredirect',
  'ssltemporaryredirect',
  'sslhost',
  'sslforcehost',
  'featurepolicy',
]

/** Options whose text is the value of a header. */
const TEXTS: ReadonlyMap<string, string> = new Map([
  ['contentsecuritypolicy', 'Content-Security-Policy'],
  ['contentsecuritypolicyreportonly', 'Content-Security-Policy-Report-Only'],
  ['referrerpolicy', 'Referrer-Policy'],
  ['permissionspolicy', 'Permissions-Policy'],
  ['publickey', 'Public-Key'],
  ['customframeoptionsvalue', 'X-Frame-Options'],
  ['custombrowserxssvalue', 'X-XSS-Protection'],
])
/** Options that are on or off. A text for the same header goes before. */
const FLAGS: ReadonlyMap<string, readonly [name: string, value: string]> = new Map([
  ['framedeny', ['X-Frame-Options', 'DENY']],
  ['contenttypenosniff', ['X-Content-Type-Options', 'nosniff']],
  ['browserxssfilter', ['X-XSS-Protection', '1; mode=block']],
])
const KNOWN = [
  ...['customrequestheaders', 'customresponseheaders', 'stsseconds', 'isdevelopment'],
  ...SILENT,
  ...TEXTS.keys(),
  ...FLAGS.keys(),
]

export function translateHeaders(branch: Branch, remarks: string[]): MiddlewareForm {
  const names = branch.names('headers').filter((name) => name !== '')
  const old = names.filter((name) => OF_VERSION_2.includes(name))
  remarks.push(...old.map((name) => `"headers/${name}" has no effect, as in Traefik 3`))
  const harmless = names.filter((name) => HARMLESS.includes(name))
  remarks.push(...remarkUnknown(harmless.map((name) => `headers/${name}`)))
  const other = names.find((name) => ![...KNOWN, ...old, ...harmless].includes(name))
  if (other !== undefined) {
    throw new TranslationError(`${quote(`headers/${other}`)} is not supported yet`)
  }
  const custom = readEdits(branch, 'headers/customresponseheaders')
  const careful = branch.flag('headers/isdevelopment') ? [] : readCareful(branch, remarks)
  return {
    kind: 'headers',
    request: toEdits(readEdits(branch, 'headers/customrequestheaders')),
    // Traefik's custom headers are set last.
    response: toEdits({ set: new Map([...careful, ...custom.set]), remove: custom.remove }),
  }
}

function readCareful(branch: Branch, remarks: string[]): readonly (readonly [string, string])[] {
  const found = new Map<string, string>()
  for (const [option, [name, value]] of FLAGS) {
    if (branch.flag(`headers/${option}`)) found.set(name, value)
  }
  for (const [option, name] of TEXTS) {
    const text = branch.text(`headers/${option}`) ?? ''
    if (text !== '') found.set(name, text)
  }
  const seconds = branch.whole('headers/stsseconds') ?? 0
  if (seconds > 0) {
    const isForced = branch.flag('headers/forcestsheader')
    const directives = [
      `max-age=${seconds}`,
      ...(branch.flag('headers/stsincludesubdomains') ? ['includeSubDomains'] : []),
      ...(branch.flag('headers/stspreload') ? ['preload'] : []),
    ]
    found.set('Strict-Transport-Security', directives.join('; '))
    if (!isForced) remarks.push('headers/stsseconds: the header is also sent over plain http')
  }
  return [...found]
}

interface Edits {
  readonly set: ReadonlyMap<string, string>
  readonly remove: readonly string[]
}

/** An empty value removes the header. */
function readEdits(branch: Branch, name: string): Edits {
  const set = new Map<string, string>()
  const remove: string[] = []
  for (const { segments, text } of branch.below(name)) {
    const [, , field = '', ...more] = segments
    if (more.length > 0) throw new TranslationError(`${name}: a field cannot have a / in its name`)
    if (text === '') remove.push(field)
    else set.set(field, text)
  }
  return { set, remove }
}

function toEdits({ set, remove }: Edits): unknown {
  return {
    set: Object.fromEntries([...set].sort(([one], [other]) => (one < other ? -1 : 1))),
    remove: [...remove].sort(),
  }
}
