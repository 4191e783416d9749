// What came from the environment or a file of secrets is hidden from the moment that it is written so.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createInventory } from '../../src/control/sources/inventory.ts'
import { redact } from '../../src/control/redact.ts'
import type { ObjectName } from '../../src/model/names.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import { backend, openAdmission, type AdmissionUnderTest } from '../support/declared.ts'

const SECRET = 'hunter2-hunter2'
const b = backend('http://10.0.0.9:5001')

/** As the file's reader leaves a value that a reference stood for. */
function referring(object: DeclaredObject): DeclaredObject {
  return { ...object, secrets: [SECRET] }
}

function shownBy(admission: AdmissionUnderTest): string {
  return JSON.stringify([...admission.inForce()].map(redact))
}

test('shows no key, header or path of what scales a backend', () => {
  const admission = openAdmission()
  const webhook = {
    url: `https://ops.example/${SECRET}`,
    observe: `https://ops.example/${SECRET}`,
    secret: SECRET.repeat(2),
    headers: { 'X-Auth': SECRET },
  }

  admission.declare({ backends: { b: { ...b, scale: { max: 3, actuator: { webhook } } } } })

  const shown = shownBy(admission)
  assert.match(shown, /https:\/\/ops\.example\//)
  assert.doesNotMatch(shown, new RegExp(SECRET))
})

const SECTIONS = {
  'an answer': {
    frontends: { vote: { route: 'Host("vote")', respond: { status: 200, body: SECRET } } },
  },
  'a label of a backend': { backends: { b: { ...b, labels: { token: SECRET } } } },
  'a server of its own': {
    backends: { b },
    servers: { 'b/s': { url: 'http://10.0.0.8:80', labels: { token: SECRET } } },
  },
  'a middleware of its own': {
    frontends: { vote: { route: 'Host("vote")', respond: { status: 204 } } },
    middlewares: { 'vote/h': { kind: 'headers', request: { set: { 'X-Own': SECRET } } } },
  },
}

for (const [what, sections] of Object.entries(SECTIONS)) {
  test(`a literal in ${what} that is replaced by a reference to the same text is hidden at once`, () => {
    const admission = openAdmission()
    admission.declare(sections, 'r1')
    const literal = shownBy(admission)

    admission.declare(sections, 'r2', 'file', referring)

    assert.match(literal, new RegExp(SECRET))
    assert.deepEqual(admission.setAside(), [])
    assert.doesNotMatch(shownBy(admission), new RegExp(SECRET))
  })
}

for (const [what, sections] of Object.entries(SECTIONS)) {
  test(`nothing of ${what} is shown once its object was sealed, also of its last good version`, () => {
    const admission = openAdmission()
    const sealed = (object: DeclaredObject): DeclaredObject => ({ ...object, isSealed: true })
    admission.declare(sections, 'r1')

    admission.declare(sections, 'r2', 'file', sealed)

    assert.deepEqual(admission.setAside(), [])
    assert.doesNotMatch(shownBy(admission), new RegExp(SECRET))
    assert.match(shownBy(admission), /"id":"(?:vote|b)/)
  })
}

test('so it is in the last good version of what is written with a reference and a mistake', () => {
  const admission = openAdmission()
  const vote = { route: 'Host("vote")', respond: { status: 200, body: SECRET } }
  admission.declare({ frontends: { vote } }, 'r1')

  const { setAside } = admission.declare(
    { frontends: { vote: { ...vote, route: `Host("${SECRET}` } } },
    'r2',
    'file',
    referring,
  )

  assert.equal(setAside.length, 1)
  assert.equal(setAside[0]?.serving, true)
  assert.doesNotMatch(JSON.stringify(setAside), new RegExp(SECRET))
  assert.doesNotMatch(shownBy(admission), new RegExp(SECRET))
})

test('what is saved for a start without the source says so, too', () => {
  const admission = openAdmission()
  const sections = { backends: { b: { ...b, labels: { token: SECRET } } } }
  admission.declare(sections, 'r1')

  admission.declare(sections, 'r2', 'file', referring)

  assert.deepEqual(
    [...admission.written('file')].map(({ secrets }) => secrets),
    [[SECRET]],
  )
})

test('the same text becomes another declaration with it', () => {
  const inventory = createInventory({ shrink: { holdMs: 0, share: 1, allowEmpty: true } })
  const object: DeclaredObject = { kind: 'backend', id: 'b', value: { labels: {} }, key: 'b' }
  const take = (one: DeclaredObject): readonly ObjectName[] =>
    inventory.take(
      {
        readable: true,
        revision: '1',
        objects: [one],
        changes: null,
        listed: 'changed',
        problems: [],
        changedAt: 0,
      },
      0,
    )
  take(object)

  assert.deepEqual(take({ ...object, secrets: [SECRET] }), [{ kind: 'backend', id: 'b' }])
  assert.deepEqual(take({ ...object, secrets: [SECRET] }), [])
})
