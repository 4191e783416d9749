/**
 * The vocabulary in which middlewares and balancers describe their options: zod and the helpers of this folder. A kind gets it as
 * an argument and imports only its type, because a serving thread compiles kinds and must not load zod: 8 MB and 40 ms of CPU in
 * each thread.
 */
import type * as vocabulary from './vocabulary.ts'

export * as z from 'zod'
export { breakerShape } from './breaker.ts'
export * from './fields.ts'
export * from './header-fields.ts'

export type Vocabulary = typeof vocabulary
