/** What kinds of middlewares and balancers write their options in. They get it as an argument: a serving thread does without. */
export * as z from 'zod'
export { breakerShape } from './breaker.ts'
export * from './fields.ts'
export * from './header-fields.ts'
