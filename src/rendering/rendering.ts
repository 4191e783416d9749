/**
 * Files that are rendered from templates: each follows its keys, the routing table, its template and the names that it asks for. The
 * texts are made in a thread of their own, so that no template delays what this thread does.
 */
import type { Resolver } from '../dns/resolver.ts'
import type { ResolverSettings } from '../model/settings.ts'
import type { TemplateKeys, TemplateSettings } from '../model/template-settings.ts'
import type { Log } from '../observe/log.ts'
import type { TemplateReport } from '../observe/reports/template-report.ts'
import type { Question } from '../template/questions.ts'
import { EMPTY_TABLE, type TableView } from '../template/table-functions.ts'
import { createAnswerer, isLookedUp } from './answers.ts'
import { createKeyStores } from './key-stores.ts'
import { mayReadTable } from './make-text.ts'
import { createRenderedFile, NotReady, type RenderedFile } from './rendered-file.ts'
import { describeSource } from './source-name.ts'
import { readTemplate, signatureOf } from './template-text.ts'
import { createTextMaker, type TextMakerOptions } from './text-maker.ts'

export interface Rendering {
  reports(): readonly TemplateReport[]
  /** The routing table, or the state of a server, has changed. */
  noteTable(): void
  start(): void
  /**
   * Renders each template once, as soon as its keys are read, for which it waits so long.
   * @returns why it failed, by name
   */
  renderOnce(withinMs: number): Promise<ReadonlyMap<string, string>>
  /** Ends checks that run, and reloads that do not end by themselves soon. */
  stop(): Promise<void>
}

export interface RenderingOptions extends TextMakerOptions {
  readonly templates: readonly TemplateSettings[]
  /** The table as it is now; null: there is none. */
  readonly table: (() => Promise<TableView>) | null
  readonly resolver: Pick<Resolver, 'addressesOf' | 'hold' | 'release' | 'listen'>
  readonly resolverSettings: ResolverSettings
  readonly log: Log
  /** Only the interval of a template counts, and no change, once its keys were read. */
  readonly isPolling?: boolean
  readonly now?: () => number
  readonly date?: () => number
  readonly random?: () => number
}

/** How often the files of templates are looked at. */
const LOOK_MS = 1_000
const POLL_MS = 20

export function createRendering(options: RenderingOptions): Rendering {
  const { templates, table, resolver, resolverSettings, log, isPolling = false } = options
  const { now = () => performance.now(), date = Date.now, random = Math.random } = options
  const ending = new AbortController()
  const maker = createTextMaker(options)
  const answerer = createAnswerer(resolver, resolverSettings)
  const all = templates.flatMap(({ keys }) => keys ?? [])
  const stores = createKeyStores(all, {
    onChange(isOf) {
      for (const { file } of rendered) {
        if (file.settings.keys === null || !isOf(file.settings.keys)) continue
        if (!isPolling || file.report().state === 'waiting') file.notify()
      }
    },
    onLost(spec, reason) {
      const source = describeSource(spec)
      if (reason === null) log.info({ source }, `the keys of ${source} are read again`)
      else {
        const message = `the keys of ${source} cannot be read: ${reason}; files stay as they are`
        log.warn({ source, reason }, message)
      }
    },
    onPartial(spec, reason) {
      const source = describeSource(spec)
      log.warn({ source, reason }, `templates do not get all keys of ${source}: ${reason}`)
    },
  })
  const rendered: readonly Rendered[] = templates.map(toRendered)
  let looking: NodeJS.Timeout | null = null
  let following: Promise<unknown> = Promise.resolve()

  const unlisten = resolver.listen((changes) => {
    for (const { file, asked } of rendered) {
      if (changes.some(({ name }) => asked.has(name))) file.notify()
    }
  })

  function toRendered(settings: TemplateSettings): Rendered {
    const { keys } = settings
    const made: Rendered = {
      asked: new Set(),
      signature: signatureOf(settings),
      readsTable: false,
      file: createRenderedFile({
        settings,
        source: keys === null ? null : describeSource(keys.source),
        makeText: () => makeText(settings, made),
        lost: () => (keys === null ? null : stores.lost(keys)),
        signal: ending.signal,
        ...{ log, now, date, random },
      }),
    }
    return made
  }

  async function makeText(settings: TemplateSettings, made: Rendered): Promise<string> {
    const { keys } = settings
    made.signature = signatureOf(settings)
    const template = readTemplate(settings)
    const found = keys === null ? null : stores.read(keys)
    if (keys !== null && found === null) throw new NotReady(whyUnread(keys))
    made.readsTable = table !== null && mayReadTable(template)
    const view = made.readsTable ? await table?.() : EMPTY_TABLE
    const sealed = found === null ? null : { texts: found.texts, keyring: keyringOf(keys) }
    const data = { keys: found, table: table === null ? null : (view ?? EMPTY_TABLE) }
    const { text, questions } = await maker.make(template, data, (question) =>
      answerer.answer(question, sealed),
    )
    follow(made, questions)
    return text
  }

  function isUnread(keys: TemplateKeys): boolean {
    return !ending.signal.aborted && stores.read(keys) === null
  }

  function whyUnread(keys: TemplateKeys): string {
    const lost = stores.lost(keys)
    return `its keys have not been read yet${lost === null ? '' : `: ${lost}`}`
  }

  /** The names that a text was made of: a change of their addresses is a change of the text. */
  function follow(made: Rendered, questions: readonly Question[]): void {
    const names = new Set(
      questions.flatMap((one) =>
        one.kind === 'addresses' && isLookedUp(one.name) ? one.name.toLowerCase() : [],
      ),
    )
    for (const name of names) if (!made.asked.has(name)) resolver.hold(name)
    for (const name of made.asked) if (!names.has(name)) resolver.release(name)
    made.asked = names
  }

  function look(): void {
    for (const made of rendered) {
      const signature = signatureOf(made.file.settings)
      if (signature === made.signature) continue
      made.signature = signature
      made.file.notify()
    }
  }

  return {
    reports: () => rendered.map(({ file }) => file.report()),
    noteTable() {
      for (const { file, readsTable } of rendered) if (readsTable) file.notify()
    },
    start() {
      stores.start()
      looking = setInterval(look, LOOK_MS)
      looking.unref()
      following = Promise.all(rendered.map(({ file }) => file.follow()))
    },
    async renderOnce(withinMs) {
      stores.start()
      const until = now() + withinMs
      const failures = new Map<string, string>()
      for (const { file } of rendered) {
        const { name, keys } = file.settings
        while (keys !== null && isUnread(keys) && now() < until) {
          await new Promise((resolve) => setTimeout(resolve, POLL_MS))
        }
        if (ending.signal.aborted) break
        const failure = await file.renderOnce()
        if (failure === null) continue
        failures.set(name, failure)
        // Failures of other kinds are logged where they happen.
        if (file.report().state === 'waiting')
          log.error({ template: name }, `template ${name} is not rendered: ${failure}`)
      }
      return failures
    },
    async stop() {
      ending.abort()
      unlisten()
      if (looking !== null) clearInterval(looking)
      await Promise.all([maker.close(), stores.stop()])
      await following
      for (const made of rendered) follow(made, [])
    },
  }
}

interface Rendered {
  readonly file: RenderedFile
  /** Names of DNS, in lower case. */
  asked: ReadonlySet<string>
  signature: string
  readsTable: boolean
}

function keyringOf(keys: TemplateKeys | null): string | null {
  return keys?.source.kind === 'registry' ? keys.source.keyring : null
}
