/** `templates` of the settings in a running program: rendered once it serves, and again after an edit of the file. */
import type { EventLog } from '../admin/event-log.ts'
import { createFileReader } from '../control/sources/read-files.ts'
import type { Publisher } from '../control/publication/publisher.ts'
import type { Resolver } from '../dns/resolver.ts'
import type { HealthMonitor } from '../health/health-monitor.ts'
import { isEqual } from '../model/equal.ts'
import type { Settings } from '../model/settings.ts'
import type { TemplateSettings } from '../model/template-settings.ts'
import type { Log } from '../observe/log.ts'
import type { TemplateReport } from '../observe/reports/template-report.ts'
import type { Rendering } from '../rendering/rendering.ts'
import { collectTable } from '../rendering/table-view.ts'
import type { TableView } from '../template/table-functions.ts'

export interface RunningTemplates {
  reports(): readonly TemplateReport[]
  table(): Promise<TableView>
  /** Renders these, and no others, from `start` on. */
  set(templates: readonly TemplateSettings[]): void
  start(): void
  /** Ends commands that run, and waits for what is being written. */
  stop(): Promise<void>
}

export interface RunningTemplatesOptions {
  /** Relative paths start there. */
  readonly config: string
  readonly settings: Pick<Settings, 'templates' | 'resolver'>
  readonly publisher: Pick<Publisher, 'published'>
  readonly health: Pick<HealthMonitor, 'servers'>
  readonly resolver: Resolver
  readonly events: Pick<EventLog, 'listen'>
  readonly log: Log
}

export function openTemplates(options: RunningTemplatesOptions): RunningTemplates {
  const { config, settings, publisher, health, resolver, events, log } = options
  let wanted = settings.templates
  let rendering: Rendering | null = null
  let state: 'closed' | 'open' | 'ended' = 'closed'
  let turn: Promise<void> = Promise.resolve()

  const table = (): Promise<TableView> => collectTable(publisher.published(), health.servers())
  events.listen((type) => {
    if (type === 'table' || type === 'server') rendering?.noteTable()
  })

  /** One after the other: what renders a file ends before another one begins with it. */
  function renew(): void {
    turn = turn.then(replace).catch((err: unknown) => log.error({ err }, 'cannot render templates'))
  }

  async function replace(): Promise<void> {
    await rendering?.stop()
    rendering = null
    if (state !== 'open' || wanted.length === 0) return
    const { createRendering } = await import('../rendering/rendering.ts')
    const { withFiles } = await import('../rendering/with-files.ts')
    rendering = createRendering({
      templates: withFiles(wanted, createFileReader(config), ({ name }, reason) =>
        log.error({ template: name, reason }, `template ${name} is not rendered: ${reason}`),
      ),
      table,
      resolver,
      resolverSettings: settings.resolver,
      log,
    })
    rendering.start()
  }

  return {
    reports: () => rendering?.reports() ?? [],
    table,
    set(templates) {
      if (isEqual(templates, wanted)) return
      wanted = templates
      renew()
    },
    start() {
      state = 'open'
      renew()
    },
    async stop() {
      state = 'ended'
      renew()
      await turn
    },
  }
}
