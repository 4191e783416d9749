/** Pieces of a chart, written by hand as SVG with its own background, so that it looks the same everywhere. */
export const COLORS = {
  paper: '#fbfaf7',
  frame: '#e4e0d6',
  ink: '#1d2430',
  soft: '#6b7280',
  other: '#b4bcc8',
  ours: '#0f766e',
  reference: '#c2410c',
}
const FONT = "Inter, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"

export interface Ink {
  readonly size: number
  readonly weight?: number
  readonly color?: string
  readonly anchor?: 'start' | 'middle' | 'end'
}

/** `label`: for readers that do not see it. */
export function document(width: number, height: number, label: string, parts: string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="${FONT}" role="img" aria-label="${escape(label)}">
<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="10" fill="${COLORS.paper}" stroke="${COLORS.frame}"/>
${parts.join('\n')}
</svg>
`
}

export function text(x: number, y: number, content: string, ink: Ink): string {
  const { size, weight = 400, color = COLORS.ink, anchor = 'start' } = ink
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" font-weight="${weight}" fill="${color}" text-anchor="${anchor}">${escape(content)}</text>`
}

export function line(
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  color: string,
  dashes = '',
): string {
  const dashed = dashes === '' ? '' : ` stroke-dasharray="${dashes}"`
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${color}"${dashed}/>`
}

export function bar(x: number, y: number, width: number, height: number, fill: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="2.5" fill="${fill}"/>`
}

/** For a place in the picture: a tenth of a pixel is not seen. */
export function round(value: number): number {
  return Math.round(value * 10) / 10
}

/** XML has no other control characters than line breaks and tabs. */
function escape(content: string): string {
  return content
    .replace(/[\x00-\x1f\x7f]/g, ' ')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/"/g, '&quot;')
}
