/** @module The 256 printable characters as which byte-level BPE writes bytes. */

const BYTES = 256;

/** Bytes that print as themselves (openai/gpt-2:src/encoder.py). */
function printsAsItself(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
}

/** The bytes in the order of their ids: those that print as themselves first. */
export function byteOrder(): number[] {
  const all = Array.from({ length: BYTES }, (_, byte) => byte);
  return [...all.filter(printsAsItself), ...all.filter((byte) => !printsAsItself(byte))];
}

/** The character that stands for each byte, in the order of ids; the others take characters from U+0100 on. */
export function byteAlphabet(): string[] {
  let next = BYTES;
  return byteOrder().map((byte) => String.fromCharCode(printsAsItself(byte) ? byte : next++));
}

const byteOfCharacter = new Map(byteAlphabet().map((character, id) => [character, byteOrder()[id]]));

/** The bytes that a token of the vocabulary stands for; undefined where a character stands for none. */
export function tokenBytes(token: string): Uint8Array | undefined {
  const bytes = Uint8Array.from(token, (character) => byteOfCharacter.get(character) ?? 0);
  return Array.from(token).every((character) => byteOfCharacter.has(character)) ? bytes : undefined;
}
