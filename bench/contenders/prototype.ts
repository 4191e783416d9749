/**
 * The prototype behind the design, the floor to measure against. Only for those who have it: BENCH_PROTOTYPE names its
 * file, a program that takes the port to listen on and the ports of the origins.
 */
import type { Contender } from '../contender.ts'

const file = process.env['BENCH_PROTOTYPE']

export const prototype: Contender = {
  name: 'prototype',
  title: 'prototype',
  version: () => (file === undefined ? null : 'as given'),
  tls: false,
  maxRoutes: 1,
  partial: true,
  optional: true,
  prepare: (site) => ({
    argv: [process.execPath, file ?? '', String(site.port), ...site.origins.map(String)],
  }),
}
