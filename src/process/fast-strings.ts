/**
 * Keeps the methods of strings fast in this thread; to be imported before anything else.
 *
 * ioredis has a class that extends String. Loading it turns String.prototype into V8's dictionary mode, and no string method of
 * the thread is inlined any more: each `indexOf` and `slice` of the parsers becomes a generic look-up, half a microsecond a
 * request. V8 keeps a prototype in fast mode once code with type feedback has looked properties up in it, also when such a
 * module comes later.
 */
const ENOUGH_FOR_FEEDBACK = 10_000

const text: { readonly indexOf?: unknown } = Object('') as object
for (let times = 0; times < ENOUGH_FOR_FEEDBACK; times++) {
  if (text.indexOf === undefined) throw new Error('String.prototype has no indexOf')
}
