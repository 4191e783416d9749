/** A configuration of synapse, from its maps to what is served: pure, nothing is read or connected here. */
import { parseAddress, bracketHost } from '../../model/address.ts'
import {
  bad,
  good,
  isMap,
  quote,
  type JsonMap,
  type Path,
  type Scalar,
} from '../../model/parsed.ts'
import { toId } from '../labels/definition.ts'
import type { Rules } from './choose.ts'
import { readDiscovery, type Discovery } from './discovery.ts'
import { createFeedPlanner, type Feed } from './feed-plan.ts'
import { createForm, type Form, type Note } from './form.ts'
import { noteDefaults, translateSection, type Translated } from './haproxy/translate.ts'
import { readInstance, readPort, type Instance } from './instance.ts'

export interface SynapsePlan {
  readonly services: readonly ServicePlan[]
  readonly feeds: readonly Feed[]
  /** Where `file_output` writes; null: nowhere. */
  readonly outputDirectory: string | null
  /** How long previous instances are remembered over a restart. */
  readonly rememberMs: number
  readonly notes: readonly Note[]
}

export interface ServicePlan {
  /** As it is written. */
  readonly name: string
  readonly discovery: Discovery
  /** But for the filters, which its watchers have. */
  readonly rules: Omit<Rules, 'filters'>
  readonly usesWeights: boolean
  readonly writesFile: boolean
  /**
   * `override`: what the registry says instead of members of the section; it cannot name certificates. Null: it is not
   * served.
   */
  readonly serve: (override: JsonMap | null) => ServedService | null
}

export interface ServedService {
  /** Ids. */
  readonly listener: string
  readonly backend: string
  /** Null: it has no port of its own. */
  readonly address: string | null
  readonly translated: Translated
}

const DAY_S = 86_400
const SERVICE_KEYS = [
  ...['discovery', 'discovery_multi', 'haproxy', 'file_output', 'default_servers'],
  ...['keep_default_servers', 'use_previous_backends', 'backend_port_override', 'leader_election'],
]
const SECTION_KEYS = [
  ...['port', 'bind_address', 'bind_options', 'server_options', 'server_port_override', 'disabled'],
  ...['frontend', 'backend', 'listen', 'backend_name', 'backend_order', 'shared_frontend'],
  ...['cookie_value_method', 'use_nerve_weights'],
]
const NOT_NEEDED_IN_SECTION = ['backend_order', 'cookie_value_method']
/** Of the program HAProxy and its files. */
const PROGRAM_KEYS = [
  ...['do_checks', 'check_command', 'candidate_config_file_path', 'do_reloads', 'reload_command'],
  ...['do_writes', 'config_file_path', 'do_socket', 'socket_file_path', 'global'],
  ...[
    'restart_interval',
    'restart_jitter',
    'state_file_path',
    'server_order_seed',
    'max_server_id',
  ],
]
const OTHER_GLOBAL_KEYS = [
  'defaults',
  'extra_sections',
  'bind_address',
  'shared_frontend',
  'state_file_ttl',
  'use_nerve_weights',
]

export function planSynapse(root: JsonMap): SynapsePlan {
  const notes: Note[] = []
  const top = createForm(root, [], '', notes)
  top.known(['services', 'service_conf_dir', 'haproxy', 'file_output', 'statsd'], {
    nginx: 'is the section of a plugin, which is not read',
  })
  if (isMap(root['statsd']))
    top.note('hint', 'is not needed: /metrics of the admin has counters', 'statsd')
  const globals = top.map('haproxy')
  if (globals !== null) noteGlobals(globals)
  const feeds = createFeedPlanner()
  const services = top.map('services')
  const names = Object.keys(services?.value ?? {})
  if (names.length === 0) top.note('warning', 'there are no services')
  const plans = names.flatMap((name): readonly ServicePlan[] => {
    const value = services?.value[name]
    const path: Path = ['services', name]
    if (!isMap(value)) {
      notes.push({
        level: 'error',
        service: name,
        message: `${path.join('.')}: must be a map, not ${quote(value)}`,
        path,
      })
      return []
    }
    const form = createForm(value, path, name, notes)
    const discovery = readDiscovery(form, name, feeds)
    return discovery === null ? [] : [planService(name, form, discovery, globals, notes)]
  })
  return {
    services: plans,
    feeds: feeds.feeds(),
    outputDirectory: top.map('file_output')?.text('output_directory') ?? null,
    rememberMs: (globals?.number('state_file_ttl') ?? DAY_S) * 1000,
    notes,
  }
}

function noteGlobals(form: Form): void {
  form.known([...PROGRAM_KEYS, ...OTHER_GLOBAL_KEYS])
  const present = PROGRAM_KEYS.filter((key) => key in form.value)
  if (present.length > 0) {
    form.note(
      'hint',
      `${present.join(', ')}: not needed, there is no HAProxy; Sluice remembers servers in its data folder`,
    )
  }
  const { warnings, hints } = noteDefaults(form.texts('defaults'))
  for (const text of warnings) form.note('warning', text, 'defaults')
  for (const text of hints) form.note('hint', text, 'defaults')
  const sections = Object.keys(form.map('extra_sections')?.value ?? {})
  const isOnlyStats = sections.every((title) => /^listen stats\b/.test(title))
  if (sections.length > 0 && isOnlyStats) {
    form.note('hint', "is not needed: the admin's API has the statistics", 'extra_sections')
  }
  for (const key of ['extra_sections', 'shared_frontend']) {
    if (key in form.value && !(key === 'extra_sections' && isOnlyStats)) {
      form.note(
        'warning',
        `${key} is not read: declare its listeners and frontends in a file, with backends by the names of services`,
        key,
      )
    }
  }
}

function planService(
  name: string,
  form: Form,
  discovery: Discovery,
  globals: Form | null,
  notes: Note[],
): ServicePlan {
  form.known(SERVICE_KEYS, { nginx: 'is the section of a plugin, which is not read' })
  const section = form.map('haproxy')
  const port =
    form.read('backend_port_override', readPort) ??
    section?.read('server_port_override', readPort) ??
    null
  const weights =
    globals?.flag('use_nerve_weights', false) === true ||
    section?.flag('use_nerve_weights', false) === true
  const serve = (override: JsonMap | null): ServedService | null =>
    serveSection(name, merged(section?.value ?? {}, override), globals?.value ?? {}, [])
  // Its notes are those of the file alone.
  if (section !== null) checkSection(name, section, globals, notes)
  return {
    name,
    discovery,
    rules: {
      defaults: readDefaults(form),
      keepsDefaults: form.flag('keep_default_servers', false),
      usesPrevious: form.flag('use_previous_backends', true),
      port,
      electsLeader: form.flag('leader_election', false),
    },
    usesWeights: weights,
    writesFile: form.map('file_output')?.flag('disabled', false) !== true,
    serve: section === null ? () => null : serve,
  }
}

function merged(section: JsonMap, override: JsonMap | null): JsonMap {
  const { bind_options: own = '' } = section
  return override === null ? section : { ...section, ...override, bind_options: own }
}

function readDefaults(form: Form): readonly Instance[] {
  return form.maps('default_servers').flatMap((one) => {
    const read = readInstance(one.value)
    if (read.ok && read.value.port !== null) return read.value
    one.note('error', read.ok ? 'has no port' : read.reason)
    return []
  })
}

function checkSection(name: string, section: Form, globals: Form | null, notes: Note[]): void {
  section.known(SECTION_KEYS)
  for (const key of NOT_NEEDED_IN_SECTION) {
    if (key in section.value) section.note('hint', 'is not needed', key)
  }
  if ('shared_frontend' in section.value) {
    section.note(
      'warning',
      'is not read: declare frontends in a file, with the backend of this service',
      'shared_frontend',
    )
  }
  if (!('port' in section.value) && section.value['disabled'] !== true) {
    section.note(
      'hint',
      `has no port: the backend ${quote(name)} is for frontends that are declared elsewhere`,
    )
  }
  serveSection(name, section.value, globals?.value ?? {}, notes)
}

/** Null after a note: it is not served. */
function serveSection(
  name: string,
  written: JsonMap,
  globals: JsonMap,
  notes: Note[],
): ServedService | null {
  const form = createForm(written, ['services', name, 'haproxy'], name, notes)
  const defaults = createForm(globals, ['haproxy'], '', [])
  if (form.flag('disabled', false)) return null
  const translated = translateSection({
    defaults: defaults.texts('defaults'),
    lines: (['frontend', 'backend', 'listen'] as const).flatMap((key) => form.texts(key)),
    serverOptions: form.text('server_options') ?? '',
    bindOptions: form.text('bind_options') ?? '',
  })
  const { warnings, hints, refusals } = translated.notes
  for (const text of warnings) form.note('warning', text)
  for (const text of hints) form.note('hint', text)
  for (const text of refusals) form.note('error', `it is not served: ${text}`)
  const address = addressOf(form, defaults)
  if (!address.ok) form.note('error', address.reason, 'port')
  if (refusals.length > 0 || !address.ok) return null
  const listener = toId(name)
  return {
    listener,
    backend: toId(form.text('backend_name') ?? name),
    address: address.value,
    translated,
  }
}

/** Null: there is no port, so no listener. */
function addressOf(form: Form, globals: Form): Scalar<string | null> {
  const host = form.text('bind_address') ?? globals.text('bind_address') ?? 'localhost'
  if (!('port' in form.value)) return good(null)
  if (form.value['port'] === null) {
    return bad(
      `the address ${quote(host)} alone is no TCP address, and Sluice listens on no Unix socket: set a port`,
    )
  }
  const port = readPort(form.value['port'])
  if (!port.ok) return port
  // HAProxy looks the name up once, as it starts.
  const bound =
    host === 'localhost'
      ? '127.0.0.1'
      : host === '*'
        ? ''
        : bracketHost(host.replace(/^\[(.*)\]$/, '$1'))
  const address = parseAddress(`${bound}:${port.value}`)
  return address.ok ? good(`${bound}:${port.value}`) : address
}
