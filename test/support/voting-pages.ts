/** The pages of the voting app in a real Chromium, as people open them. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

export interface VotingPages {
  /** A voter with a browser of their own, who has the page with the two buttons open. */
  openVote(): Promise<VotePage>
  openResult(): Promise<ResultPage>
  /** What went wrong in any page: requests that failed or had an error as response, exceptions of scripts. */
  readonly problems: readonly string[]
}

export interface VotePage {
  readonly page: Page
  /** Resolves when the page shows the choice. */
  vote(choice: 'Cats' | 'Dogs'): Promise<void>
  instance(): Promise<string>
}

export interface ResultPage {
  readonly page: Page
  /** What arrived over its WebSockets. */
  readonly frames: readonly string[]
  /** Resolves when the page is connected by WebSocket and shows this. */
  shows(shown: {
    readonly cats?: string
    readonly dogs?: string
    readonly total?: string
  }): Promise<void>
  instance(): Promise<string>
}

const PATIENCE_MS = 60_000

/** Debian's. As root it runs only without its sandbox. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  })
}

export function openVotingPages(t: TestContext, browser: Browser, port: number): VotingPages {
  const problems: string[] = []

  async function openContext(): Promise<BrowserContext> {
    const context = await browser.newContext({ reducedMotion: 'reduce' })
    context.setDefaultTimeout(PATIENCE_MS)
    t.after(() => context.close())
    return context
  }

  async function open(service: string): Promise<Page> {
    const page = await (await openContext()).newPage()
    page.on('pageerror', (error) => problems.push(`${service}: ${error.message}`))
    page.on('requestfailed', (request) =>
      problems.push(`${request.url()}: ${request.failure()?.errorText ?? 'failed'}`),
    )
    page.on('response', (response) => {
      if (response.status() >= 400) problems.push(`${response.url()}: ${response.status()}`)
    })
    return page
  }

  return {
    problems,
    async openVote() {
      const page = await open('vote')
      await page.goto(`http://vote.localhost:${port}/`)
      return {
        page,
        async vote(choice) {
          await page.getByRole('button', { name: choice }).click()
          await page.getByRole('button', { name: choice, pressed: true }).waitFor()
        },
        instance: () => page.locator('footer code').innerText(),
      }
    },
    async openResult() {
      const page = await open('result')
      const frames: string[] = []
      page.on('websocket', (socket) =>
        socket.on('framereceived', ({ payload }) => frames.push(payload.toString())),
      )
      await page.goto(`http://result.localhost:${port}/`)
      return {
        page,
        frames,
        async shows({ cats, dogs, total }) {
          const expected = [
            ['#state', 'live'],
            ['#transport', 'over a WebSocket'],
            ['#share-a', cats],
            ['#share-b', dogs],
            ['#total', total],
          ] as const
          for (const [selector, text] of expected) {
            if (text === undefined) continue
            const found = page.locator(selector).filter({ hasText: new RegExp(`^${text}$`) })
            await found.waitFor().catch(async () => {
              assert.equal(await page.locator(selector).innerText(), text, selector)
            })
          }
        },
        instance: () => page.locator('#instance').innerText(),
      }
    },
  }
}
