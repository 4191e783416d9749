/** The one request that everybody is measured with: what a browser sends, 13 fields. */
export type ResponseSize = '1k' | '100k'

export const RESPONSE_BYTES: Readonly<Record<ResponseSize, number>> = {
  '1k': 1024,
  '100k': 102_400,
}

/** Every field but Host, in a browser's order. */
export const BROWSER_FIELDS: Readonly<Record<string, string>> = {
  Connection: 'keep-alive',
  'Cache-Control': 'max-age=0',
  'sec-ch-ua': '"Chromium";v="138", "Not)A;Brand";v="8"',
  'sec-ch-ua-mobile': '?0',
  'sec-ch-ua-platform': '"Linux"',
  'Upgrade-Insecure-Requests': '1',
  'User-Agent':
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Sec-Fetch-Site': 'same-origin',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Accept-Language': 'en-GB,en;q=0.9,de;q=0.8',
  Cookie: 'session=3f1c9a52e0b84d6f8c7a1d2e5b90f4a6; theme=light; seen=1731000000',
}

/** The first route is a name that one can try by hand; the rest are as long as names in the field are. */
export function hostOf(route: number): string {
  return route === 0 ? 'localhost' : `h${String(route).padStart(6, '0')}.bench.test`
}

/** A whole request; `{host}` stays in it for a load generator that goes through many hosts. */
export function browserHead(response: ResponseSize, host = '{host}'): string {
  const fields = Object.entries(BROWSER_FIELDS).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET /${response} HTTP/1.1\r\nHost: ${host}\r\n${fields.join('')}\r\n`
}
