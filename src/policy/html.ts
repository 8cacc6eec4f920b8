/** @module HTML in Markdown pages: tags that begin or end a block, as people use them for lists and line breaks. */

export interface HtmlPiece {
  readonly text: string;
  /** What the tag before it says: an item, a heading's words, some other block. Null where no tag stands before it. */
  readonly tag: 'li' | 'heading' | 'block' | null;
}

/** Attributes over this length make a tag plain text, so that every "<" is looked at within fixed bounds. */
const TAG =
  /<(\/?)(br|hr|li|ul|ol|dl|dt|dd|p|div|section|article|aside|header|footer|main|center|blockquote|pre|details|summary|figure|figcaption|table|caption|thead|tbody|tfoot|tr|td|th|h[1-6])(?:[\s/][^<>]{0,300})?>/giu;

/** A line cut at its block tags; one piece with the whole line where there are none. */
export function htmlPieces(line: string): HtmlPiece[] {
  const pieces: HtmlPiece[] = [];
  let tag: HtmlPiece['tag'] = null;
  let words = '';
  let at = 0;
  for (const found of line.matchAll(TAG)) {
    words += line.slice(at, found.index);
    at = found.index + found[0].length;
    const [, end, name = ''] = found;
    if (/^t[dh]$/iu.test(name)) {
      // Cells of a row belong together, as in a Markdown table.
      if (end === '' && words.trim() !== '') words += ' | ';
      continue;
    }
    pieces.push({ text: words, tag });
    words = '';
    tag = kindOf(name.toLowerCase(), end === '/');
  }
  pieces.push({ text: words + line.slice(at), tag });
  return pieces;
}

function kindOf(name: string, ends: boolean): HtmlPiece['tag'] {
  if (ends) return 'block';
  if (name === 'li') return 'li';
  return /^h\d$/u.test(name) ? 'heading' : 'block';
}
