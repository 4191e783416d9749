// needs: go
// Issue 15: "the template engine against Go's own text/template (Debian's golang), 10,000 generated templates: equal output or both an error".
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { BUILTINS } from '../../src/template/builtins.ts'
import { confdFunctions } from '../../src/template/confd-functions.ts'
import { evaluate } from '../../src/template/evaluate.ts'
import { parseTemplate } from '../../src/template/parse.ts'
import { fromJson, TemplateError } from '../../src/template/value.ts'
import { makeFolder } from '../support/program.ts'
import { generate, type Generated } from '../support/template-generator.ts'

const ORACLE = fileURLToPath(new URL('../support/go/text-template.go', import.meta.url))
const COUNT = Number(process.env['SLUICE_TEMPLATES'] ?? 10_000)
const FUNCTIONS = new Map([...BUILTINS, ...confdFunctions({ environment: {}, now: () => 0 })])
const NAMES = new Set(FUNCTIONS.keys())

interface Answer {
  readonly text: string
  readonly error?: string
}

const runFile = promisify(execFile)

test('a generated template has the text that Go gives it, or is an error to both', async (t) => {
  const oracle = await buildOracle(t)
  const generated = Array.from({ length: COUNT }, (_, seed) => generate(seed))

  const expected = ask(oracle, generated)
  const found = generated.map(render)

  const different = expected.flatMap((go, seed) => {
    const own = found[seed]
    const isSame = (go.error === undefined) === (own?.error === undefined) && go.text === own?.text
    return isSame ? [] : [{ seed, template: generated[seed]?.template, go, own }]
  })
  assert.deepEqual(different.slice(0, 5), [])
  const whole = expected.filter(({ error }) => error === undefined).length
  assert.ok(whole > COUNT / 3, `${whole} of ${COUNT} templates are valid`)
})

async function buildOracle(t: TestContext): Promise<string> {
  const folder = makeFolder(t)
  const program = join(folder, 'oracle')
  const env = { ...process.env, GOCACHE: join(folder, 'cache'), GO111MODULE: 'off' }
  await runFile('go', ['build', '-o', program, ORACLE], { env })
  return program
}

function ask(oracle: string, generated: readonly Generated[]): readonly Answer[] {
  const input = generated.map((question) => JSON.stringify(question)).join('\n')
  const printed = execFileSync(oracle, { input, maxBuffer: 1 << 28 }).toString()
  return printed
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Answer)
}

function render({ template, data }: Generated): Answer {
  try {
    const templates = parseTemplate(template, 'main', NAMES)
    return { text: evaluate(templates, 'main', fromJson(data), FUNCTIONS) }
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    return { text: '', error: error.message }
  }
}
