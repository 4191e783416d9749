/**
 * The seam of the kinds of registries that an agent registers in: etcd, consul, zookeeper, redis, sluice. A kind describes its
 * options once; validation, JSON Schema and the table in the docs come from that. Its client is loaded when one is opened.
 */
import * as z from 'zod'
import type { ReadPem } from '../../model/certificate.ts'
import { flaw, refuse, type Flaw, type Parsed, type Path } from '../../model/parsed.ts'
import { strict, type Complain } from '../../options/fields.ts'
import { parseWith } from '../../options/parse.ts'
import { createKeeper } from './keeper.ts'
import type { Entry, OpenLink } from './link.ts'
import type { Registrar, RegistrarListener, Registration } from './registrar.ts'

/** What was written of one registry, with all defaults. Only its kind knows the rest. */
export interface RegistrarSpec {
  readonly kind: string
  /** As the file names it. */
  readonly name: string
  readonly ttlMs: number
}

interface RegistrarKindDefinition<Shape extends z.core.$ZodLooseShape, Own extends object> {
  readonly kind: string
  readonly description: string
  readonly options: Shape
  /** What the written options mean. A call of `complain` refuses them. */
  readonly read: (form: z.output<z.ZodObject<Shape>>, complain: Complain) => Own
  /** For messages: `etcd 10.0.0.5:2379`. */
  readonly placeOf: (spec: Own) => string
  /** Why the registry or its layout cannot hold it; null: it can. */
  readonly refuse: (registration: Registration, spec: Own) => string | null
  readonly toEntry: (registration: Registration, spec: Own) => Entry
  readonly openLinks: (spec: Own) => Promise<OpenLink>
  readonly withFiles: (
    spec: RegistrarSpec & Own,
    read: ReadPem,
    at: Path,
    flaws: Flaw[],
  ) => RegistrarSpec & Own
}

/** Each function takes a spec that `parse` of the same kind returned. */
export interface RegistrarKind {
  readonly kind: string
  /** Of what is written, for the JSON Schema and the docs. */
  readonly schema: z.ZodType
  /** `at`: the place of `written` in its file, for messages. */
  readonly parse: (name: string, written: unknown, at: Path) => Parsed<RegistrarSpec>
  /** The spec with the text of the files (authorities, certificates) that it names. */
  readonly withFiles: (spec: RegistrarSpec, read: ReadPem, at: Path) => Parsed<RegistrarSpec>
  /** Why the registry or its layout cannot hold this registration; null: it can. */
  readonly refuse: (spec: RegistrarSpec, registration: Registration) => string | null
  /** What is written under: two services must not have the same. */
  readonly keyOf: (spec: RegistrarSpec, registration: Registration) => string
  /**
   * Loads the client, and begins to connect in the background: a registry that is away is no error here. Rejects if the client
   * cannot be loaded.
   */
  readonly open: (spec: RegistrarSpec, listener: RegistrarListener) => Promise<Registrar>
}

export function defineRegistrar<
  const Shape extends z.core.$ZodLooseShape,
  Own extends { readonly ttlMs: number },
>(kind: RegistrarKindDefinition<Shape, Own>): RegistrarKind {
  const form = strict(
    { kind: z.literal(kind.kind).default(kind.kind), ...kind.options },
    kind.description,
  )
  const own = (spec: RegistrarSpec): RegistrarSpec & Own => spec as RegistrarSpec & Own

  return {
    kind: kind.kind,
    schema: form,
    parse(name, written, at) {
      const parsed = parseWith(form, written, at)
      if (!parsed.ok) return parsed
      const flaws: Flaw[] = []
      const complain: Complain = (message, path) => flaws.push(flaw([...at, ...path], message))
      const options = kind.read(parsed.value as z.output<z.ZodObject<Shape>>, complain)
      if (flaws.length > 0) return refuse(flaws)
      return { ok: true, value: { kind: kind.kind, name, ...options } }
    },
    withFiles(spec, read, at) {
      const flaws: Flaw[] = []
      const whole = kind.withFiles(own(spec), read, at, flaws)
      return flaws.length > 0 ? refuse(flaws) : { ok: true, value: whole }
    },
    refuse: (spec, registration) => kind.refuse(registration, own(spec)),
    keyOf(spec, registration) {
      const { key, isSequential } = kind.toEntry(registration, own(spec))
      // The registry tells those of one id apart by a number, and a link by their address.
      return isSequential ? `${key} ${registration.host} ${registration.port}` : key
    },
    async open(spec, listener) {
      const whole = own(spec)
      return createKeeper({
        place: kind.placeOf(whole),
        ttlMs: spec.ttlMs,
        open: await kind.openLinks(whole),
        refuse: (registration) => kind.refuse(registration, whole),
        toEntry: (registration) => kind.toEntry(registration, whole),
        listener,
      })
    },
  }
}
