/**
 * Pictures of the voting app: `node demo/voting/screenshots.ts FOLDER [PORT]` while `npm run demo:voting` runs on that port
 * (8080). Voters vote first. voting-app.png is the one of the READMEs. Needs Debian's chromium.
 */
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'

const [folder = '.', port = '8080'] = process.argv.slice(2)
const VOTERS = 137
const DEVICES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } }
const COLOR_SCHEMES = ['light', 'dark'] as const

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
})
try {
  for (let voter = 0; voter < VOTERS; voter += 1) await vote(voter)
  for (const [device, viewport] of Object.entries(DEVICES)) {
    for (const colorScheme of COLOR_SCHEMES) {
      const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' })
      await takePictures(await context.newPage(), `${device}-${colorScheme}`)
      await context.close()
    }
  }
  await putTogether(browser, ['vote-desktop-light', 'result-desktop-light'])
} finally {
  await browser.close()
}

/** Five of eight vote for cats. */
function vote(voter: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const body = `vote=${voter % 8 < 5 ? 'a' : 'b'}`
    const headers = {
      host: 'vote.localhost',
      cookie: `voter_id=picture-${voter}`,
      'content-type': 'application/x-www-form-urlencoded',
    }
    const outgoing = request({ host: '127.0.0.1', port, method: 'POST', headers }, (response) => {
      response.resume().once('end', resolve)
    })
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

async function takePictures(page: Page, suffix: string): Promise<void> {
  const take = (name: string): Promise<unknown> => page.screenshot({ path: picture(name, suffix) })
  await page.goto(`http://vote.localhost:${port}/`)
  await take('open')
  await page.getByRole('button', { name: 'Cats' }).click()
  await page.getByRole('button', { name: 'Cats', pressed: true }).waitFor()
  await take('vote')
  await page.goto(`http://result.localhost:${port}/`)
  await page.locator('#transport', { hasText: 'over a WebSocket' }).waitFor()
  await take('result')
}

async function putTogether(browser: Browser, names: readonly string[]): Promise<void> {
  const images = names.map((name) => {
    const data = readFileSync(join(folder, `${name}.png`)).toString('base64')
    return `<img src="data:image/png;base64,${data}">`
  })
  const page = await browser.newPage({ viewport: { width: 1280, height: 408 } })
  await page.setContent(
    '<style>body { margin: 8px 0; display: flex; gap: 16px; justify-content: center }' +
      'img { width: 624px; height: 390px; border-radius: 12px; outline: 1px solid #d0cbc2 }</style>' +
      images.join(''),
  )
  await page.screenshot({ path: picture('voting-app'), omitBackground: true })
}

function picture(...words: readonly string[]): string {
  return join(folder, `${words.join('-')}.png`)
}
