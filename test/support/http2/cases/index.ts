/** All cases: the 147 of the public suite, and those beyond it. */
import { ACCEPTED, ACCEPTED_TOO } from './accepted.ts'
import type { Case } from './case.ts'
import { COMPRESSION, COMPRESSION_TOO } from './compression.ts'
import { FRAMES, FRAMES_TOO } from './frames.ts'
import { MESSAGES } from './messages.ts'
import { STREAMS, STREAMS_TOO } from './streams.ts'

export const PUBLIC_CASES: readonly Case[] = [
  ...ACCEPTED,
  ...COMPRESSION,
  ...FRAMES,
  ...STREAMS,
  ...MESSAGES,
]

export const FURTHER_CASES: readonly Case[] = [
  ...ACCEPTED_TOO,
  ...COMPRESSION_TOO,
  ...FRAMES_TOO,
  ...STREAMS_TOO,
]
