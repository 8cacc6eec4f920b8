/** @module One form for one content, so that line ends, a byte-order mark and trailing spaces change neither id nor prompt. */

/** Two spaces at the end of a line break it (Markdown). */
const BREAK = '  ';

/**
 * NFC, `\n` line ends, no spaces at the ends of lines, no empty lines around. With `breaks` two spaces stay where a line
 * of text ends with two or more, for {@link withBreaks} to decide.
 */
export function normalize(text: string, { breaks = false }: { readonly breaks?: boolean } = {}): string {
  const lines = text
    .replace(/^\u{FEFF}/u, '')
    .normalize('NFC')
    .replace(/\r\n?|[\u0085\u2028\u2029]/gu, '\n')
    .split('\n');
  const trimmed = lines.map((line) => {
    const words = line.trimEnd();
    return breaks && words !== '' && line.startsWith(BREAK, words.length) ? words + BREAK : words;
  });
  let from = 0;
  while (from < trimmed.length && trimmed[from] === '') from++;
  let to = trimmed.length;
  while (to > from && trimmed[to - 1] === '') to--;
  return trimmed.slice(from, to).join('\n');
}

/** The text with the breaks of some lines (from 0) only: of those that part two statements. */
export function withBreaks(text: string, breaks: ReadonlySet<number>): string {
  if (!text.includes(`${BREAK}\n`) && !text.endsWith(BREAK)) return text;
  return text
    .split('\n')
    .map((line, number) => (breaks.has(number) ? line : line.trimEnd()))
    .join('\n');
}
