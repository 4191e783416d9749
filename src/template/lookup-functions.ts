/** confd's functions that ask DNS. A name that does not exist has no addresses; DNS that does not answer is an error. */
import { strings } from './confd-functions.ts'
import { declare, type Functions } from './function.ts'
import type { Answer, Asking, Question, ServiceAnswer } from './questions.ts'
import { compareBytes, List, Struct, TemplateError, type Value } from './value.ts'

export function lookupFunctions(asking: Asking): Functions {
  function ask(question: Question): Answer | null {
    const answer = asking.ask(question)
    if (answer?.kind === 'fault') throw new TemplateError(answer.reason)
    return answer
  }

  function lookup(name: Value): readonly string[] {
    const answer = ask({ kind: 'addresses', name: String(name) })
    const addresses = answer?.kind === 'addresses' ? answer.addresses : []
    return addresses.toSorted(compareBytes)
  }

  function lookupServices(service: Value, protocol: Value, name: Value): List {
    const answer = ask({
      kind: 'services',
      ...{ service: String(service), protocol: String(protocol), name: String(name) },
    })
    const services = answer?.kind === 'services' ? answer.services : []
    const sorted = services.toSorted((one, other) => compareBytes(orderOf(one), orderOf(other)))
    return new List('*net.SRV', sorted.map(toStruct))
  }

  return new Map(
    Object.entries({
      lookupIP: declare(['string'], (name) => strings(lookup(name))),
      lookupIPV4: declare(['string'], (name) =>
        strings(lookup(name).filter((address) => address.includes('.'))),
      ),
      lookupIPV6: declare(['string'], (name) =>
        strings(lookup(name).filter((address) => address.includes(':'))),
      ),
      lookupSRV: declare(['string', 'string', 'string'], lookupServices),
    }),
  )
}

/** As confd sorts them: by the text of all fields together. */
function orderOf({ target, port, priority, weight }: ServiceAnswer): string {
  return `${target}${port}${priority}${weight}`
}

function toStruct({ target, port, priority, weight }: ServiceAnswer): Struct {
  return new Struct(
    'net.SRV',
    new Map<string, Value>([
      ['Target', target],
      ['Port', BigInt(port)],
      ['Priority', BigInt(priority)],
      ['Weight', BigInt(weight)],
    ]),
  )
}
