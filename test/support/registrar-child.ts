/** A process that registers one service, for tests that kill it. Its only argument: `{ registry, registration }`. Each report is a line of JSON. */
import { openRegistrar, parseRegistrar } from '../../src/agent/registrar/catalog.ts'
import type { Registration } from '../../src/agent/registrar/registrar.ts'

interface Given {
  readonly registry: { readonly kind: string }
  readonly registration: Registration
}

const { registry, registration } = JSON.parse(process.argv[2] ?? '') as Given
const parsed = parseRegistrar(registry.kind, registry, ['registry'])
if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('; '))
const registrar = await openRegistrar(parsed.value, {
  onRegistration: (_key, state) => console.log(JSON.stringify(state)),
  onLink: (state) => console.log(JSON.stringify({ link: state })),
})
registrar.put(registration)
process.once('SIGTERM', () => {
  registrar.close().then(
    () => process.exit(0),
    () => process.exit(1),
  )
})
