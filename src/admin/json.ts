/** JSON that a terminal shows as it is: what stands in a registry must not move its cursor or turn its text round. */
export function toJson(
  value: unknown,
  replacer?: (this: unknown, name: string, value: unknown) => unknown,
): string {
  return JSON.stringify(value, replacer).replace(UNSHOWN, escape)
}

/** Controls that JSON leaves alone, and what changes the direction of text. */
const UNSHOWN = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
