/**
 * Stops a process of the demonstration with SIGTERM when the process that started it has ended for any reason. Loaded with
 * `--import`, so that the program does not depend on it. Without a channel, as when started by hand and in worker threads,
 * it does nothing.
 */
import { isMainThread } from 'node:worker_threads'

if (isMainThread && process.channel !== undefined) {
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  // The channel must not keep the process alive.
  process.channel?.unref()
}
