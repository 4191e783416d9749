// Issue 10: "every metric with its meaning, alert rules and a Grafana board in config/ that a test loads". docs/metrics.md has
// exactly the metrics that /metrics serves, with type and labels; what the rules and the dashboard name exists.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { metricsText } from '../../src/agent/status.ts'
import { renderAllMetrics, type MetricForm } from '../support/all-metrics.ts'
import { codesIn, listPages, readPage, ROOT, rowsOf } from '../support/docs.ts'

const METRICS = await renderAllMetrics()
/** Names, as `sluice agent` serves them; docs/agent.md has their table. */
const OF_AGENT = (await metricsText({ services: [], registries: [], containers: [] })).match(
  /(?<=# TYPE )\S+/g,
)

test('the page has every metric that is served, and no other', () => {
  const documented = rowsOf(readPage('docs/metrics.md')).map(([cell = '']) => cell.slice(1, -1))

  assert.deepEqual(documented.toSorted(), [...METRICS.keys()].sort())
})

/** Have samples, and so labels, only while there is such work. */
const SOMETIMES_EMPTY = new Set([
  '`nodejs_active_handles`',
  '`nodejs_active_requests`',
  '`nodejs_active_resources`',
  '`nodejs_gc_duration_seconds`',
])

test('the page has the type, the labels and a meaning of each', () => {
  for (const [name = '', type = '', labels = '', meaning = ''] of rowsOf(
    readPage('docs/metrics.md'),
  )) {
    const form = METRICS.get(name.slice(1, -1)) ?? assert.fail(name)
    assert.equal(type, form.type, name)
    assert.notEqual(meaning, '', name)
    const written = codesIn(labels).toSorted()
    const served = [...form.labels].filter((label) => label !== 'le').sort()
    if (served.length === 0 && SOMETIMES_EMPTY.has(name)) continue
    assert.deepEqual(written, served, name)
  }
})

test('every metric that any page names is served', () => {
  for (const page of listPages()) {
    for (const [name] of readPage(page).matchAll(/\bsluice_[a-z_]+[a-z]\b/g)) {
      const isServed = formOf(name) !== undefined || OF_AGENT?.includes(name) === true
      assert.ok(isServed, `${page}: ${name}`)
    }
  }
})

interface Rule {
  readonly alert?: string
  readonly expr?: string
  readonly for?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

const RULES = (
  parse(readFileSync(join(ROOT, 'config/alerts.yaml'), 'utf8')) as {
    readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
  }
).groups

test('alert rules are whole, and name metrics, labels and values that exist', () => {
  const names = new Set<string>()
  for (const { name, rules } of RULES) {
    assert.match(name, /^sluice-\w+$/)
    for (const { alert = '', expr = '', labels, annotations, ...rest } of rules) {
      assert.match(alert, /^Sluice[A-Za-z]+$/)
      assert.ok(!names.has(alert), `${alert} stands once`)
      names.add(alert)
      assert.match(labels?.['severity'] ?? '', /^(?:warning|critical)$/, alert)
      assert.deepEqual(Object.keys(annotations ?? {}), ['summary', 'description'], alert)
      if (rest.for !== undefined) assert.match(rest.for, /^\d+m$/)
      const used = checkExpression(expr, alert)
      // What a message says of an alert is a label that the result of its expression has.
      const kept = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(', ')
      for (const text of Object.values(annotations ?? {})) {
        for (const [, label = ''] of text.matchAll(/\$labels\.(\w+)/g)) {
          const has = kept?.includes(label) ?? used.some((form) => form.labels.has(label))
          assert.ok(has || label === 'instance', `${alert}: the result has no label ${label}`)
        }
        for (const [path] of text.matchAll(/docs\/[\w/-]+\.md/g)) readPage(path)
      }
    }
  }
  assert.ok(names.size >= 20)
})

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

interface Dashboard {
  readonly uid: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Variable[] }
  readonly annotations: { readonly list: readonly { readonly expr?: string }[] }
}

interface Variable {
  readonly name: string
  readonly query: string | { readonly query: string }
}

const DASHBOARD = JSON.parse(
  readFileSync(join(ROOT, 'config/grafana-dashboard.json'), 'utf8'),
) as Dashboard

test('the dashboard is whole, and its panels name metrics, labels and variables that exist', () => {
  const variables = DASHBOARD.templating.list.map(({ name }) => name)
  const ids = DASHBOARD.panels.map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length)
  for (const { title, type, targets = [] } of DASHBOARD.panels) {
    assert.equal(targets.length === 0, type === 'row', title)
    for (const { expr, legendFormat } of targets) {
      const used = checkExpression(expr, title)
      for (const [, variable = ''] of expr.matchAll(/\$(\w+)/g)) {
        assert.ok(
          variables.includes(variable) || variable === '__rate_interval',
          `${title}: $${variable}`,
        )
      }
      const kept = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(', ')
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        const has = kept?.includes(label) ?? used.some((form) => form.labels.has(label))
        assert.ok(has || label === 'instance', `${title}: the result has no label ${label}`)
      }
    }
  }
  for (const { query } of DASHBOARD.templating.list) {
    if (typeof query === 'string') continue
    const [, name = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(query.query) ?? []
    assert.ok(label === 'instance' || formOf(name)?.labels.has(label), query.query)
  }
  for (const { expr } of DASHBOARD.annotations.list)
    if (expr !== undefined) checkExpression(expr, 'annotations')
})

test('panels of the dashboard do not overlap, and stay within its 24 columns', () => {
  const taken = new Set<string>()
  for (const { title, gridPos } of DASHBOARD.panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, title)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(!taken.has(`${x} ${y}`), `${title} lies on another panel`)
        taken.add(`${x} ${y}`)
      }
    }
  }
})

/** Words of PromQL, and `up`, which Prometheus itself makes. */
const WORDS = new Set(
  'and bool by changes histogram_quantile increase instance max min on or rate sum time up unless'.split(
    ' ',
  ),
)
/** That Prometheus adds to every sample. */
const ADDED = new Set(['instance', 'job'])
const WHOLE = new Set(['le'])

/** The metrics that the expression names. */
function checkExpression(expr: string, where: string): readonly MetricForm[] {
  assert.ok(isBalanced(expr), `${where}: brackets of ${expr}`)
  const used: MetricForm[] = []
  for (const [, name = '', selector = ''] of expr.matchAll(
    /\b([a-z]\w*_\w+|up)(?:\{([^}]*)\})?/g,
  )) {
    if (name.startsWith('__') || WORDS.has(name)) continue
    const form = formOf(name) ?? assert.fail(`${where}: there is no metric ${name}`)
    used.push(form)
    for (const [whole, label = '', sign = '', value = ''] of selector.matchAll(
      /(\w+)(=~|=|!=|!~)"([^"]*)"/g,
    )) {
      assert.ok(
        form.labels.has(label) || ADDED.has(label),
        `${where}: ${name} has no label ${label}`,
      )
      if (value.startsWith('$') || ADDED.has(label)) continue
      const values = form.values.get(label) ?? new Set<string>()
      for (const one of sign.endsWith('~') ? value.split('|') : [value]) {
        assert.ok(values.has(one), `${where}: ${whole}: ${name} never has that value`)
      }
    }
  }
  const labels = new Set(used.flatMap((form) => [...form.labels]))
  for (const [, list = ''] of expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)) {
    for (const label of list.split(', ')) {
      assert.ok(
        labels.has(label) || ADDED.has(label) || WHOLE.has(label),
        `${where}: no label ${label}`,
      )
    }
  }
  return used
}

function formOf(name: string): MetricForm | undefined {
  return METRICS.get(name) ?? METRICS.get(name.replace(/_(?:bucket|sum|count)$/, ''))
}

function isBalanced(text: string): boolean {
  const open: string[] = []
  for (const character of text.replace(/"[^"]*"/g, '')) {
    if ('([{'.includes(character)) open.push(')]}'['([{'.indexOf(character)] ?? '')
    else if (')]}'.includes(character) && open.pop() !== character) return false
  }
  return open.length === 0
}
