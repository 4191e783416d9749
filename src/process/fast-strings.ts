/**
 * Keeps the methods of strings fast in this thread. It must be imported before everything else.
 *
 * ioredis has a class that extends String. Loading it puts String.prototype into V8's dictionary mode, and no string method of
 * the thread is inlined any more: each `indexOf` and `slice` of the parsers becomes a generic look-up, half a microsecond per
 * request. V8 keeps a prototype in fast mode after code with type feedback has looked up properties in it, even if such a
 * module is loaded later.
 */
const ENOUGH_FOR_FEEDBACK = 10_000

const text: { readonly indexOf?: unknown } = Object('') as object
for (let times = 0; times < ENOUGH_FOR_FEEDBACK; times++) {
  if (text.indexOf === undefined) throw new Error('String.prototype has no indexOf')
}
