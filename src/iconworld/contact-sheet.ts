import sharp from 'sharp';
import type { RgbImage } from '../images/image.js';
import { assert, UserError } from '../util/errors.js';

/** One picture with its label and what is to be read below it, one paragraph a string. */
export interface SheetItem {
  readonly image: RgbImage;
  readonly caption: readonly string[];
  readonly label: 'safe' | 'unsafe';
}

const CELL_WIDTH = 300;
/** Pictures are enlarged to fit a square of this side, never cropped. */
const PICTURE_SIDE = 224;
const PADDING = 10;
const FONT_SIZE = 11;
const LINE_HEIGHT = 14;
const BADGE_HEIGHT = 20;
/** Characters to a line: a sans-serif character is about 0.55 of the font size wide. */
const LINE_LENGTH = Math.floor((CELL_WIDTH - 2 * PADDING) / (0.55 * FONT_SIZE));
/** More lines than the longest policy needs; the rest of a longer caption is cut with an ellipsis. */
const MAX_LINES = 60;
/** libvips and most viewers stop at 32767 px a side. */
const MAX_SIDE = 32_000;

const BADGES = { safe: '#1b7f3b', unsafe: '#b3261e' } as const;

/** The items in a grid as a PNG: picture, coloured label, caption. UserError if the grid is larger than a PNG viewer opens. */
export async function contactSheet(items: readonly SheetItem[], columns: number): Promise<Uint8Array> {
  assert(
    items.length > 0 && Number.isInteger(columns) && columns > 0,
    'A contact sheet needs items and columns.',
  );
  const captions = items.map((item) => wrapCaption(item.caption));
  const rows = Array.from({ length: Math.ceil(items.length / columns) }, (_, row) => {
    const lines = Math.max(
      ...captions.slice(row * columns, (row + 1) * columns).map((caption) => caption.length),
    );
    return PICTURE_SIDE + BADGE_HEIGHT + lines * LINE_HEIGHT + 3 * PADDING;
  });
  const height = rows.reduce((sum, row) => sum + row, 0);
  const width = CELL_WIDTH * Math.min(columns, items.length);
  if (Math.max(width, height) > MAX_SIDE) {
    throw new UserError(
      `A contact sheet of ${items.length} pictures would be ${width}×${height} px, more than ${MAX_SIDE}: show fewer pictures or change the columns.`,
    );
  }
  const parts = await Promise.all(
    items.map(async (item, i) => {
      const left = (i % columns) * CELL_WIDTH;
      const top = rows.slice(0, Math.floor(i / columns)).reduce((sum, row) => sum + row, 0);
      const cellHeight = rows[Math.floor(i / columns)];
      return [
        { input: Buffer.from(captionSvg(item.label, captions[i], cellHeight)), left, top },
        {
          input: await picturePng(item.image),
          left: left + (CELL_WIDTH - PICTURE_SIDE) / 2,
          top: top + PADDING,
        },
      ];
    }),
  );
  const paper = sharp({ create: { width, height, channels: 3, background: '#ffffff' } });
  return new Uint8Array(await paper.composite(parts.flat()).png().toBuffer());
}

async function picturePng({ width, height, data }: RgbImage): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(PICTURE_SIDE, PICTURE_SIDE, { fit: 'contain', background: '#ffffff' })
    .png()
    .toBuffer();
}

/** Paragraphs broken at spaces into lines that fit a cell; words longer than a line are broken anywhere. */
export function wrapCaption(caption: readonly string[]): string[] {
  const lines: string[] = [];
  for (const paragraph of caption.flatMap((text) => text.split('\n'))) {
    let line = '';
    for (const word of paragraph.trim().split(/\s+/).flatMap(pieces)) {
      if (line !== '' && line.length + 1 + word.length > LINE_LENGTH) {
        lines.push(line);
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines.length <= MAX_LINES ? lines : [...lines.slice(0, MAX_LINES - 1), '…'];
}

function pieces(word: string): string[] {
  const characters = Array.from(word);
  const count = Math.max(1, Math.ceil(characters.length / LINE_LENGTH));
  return Array.from({ length: count }, (_, i) =>
    characters.slice(i * LINE_LENGTH, (i + 1) * LINE_LENGTH).join(''),
  );
}

function captionSvg(label: SheetItem['label'], lines: readonly string[], height: number): string {
  const badgeTop = PADDING + PICTURE_SIDE + PADDING / 2;
  const textTop = badgeTop + BADGE_HEIGHT + LINE_HEIGHT;
  const text = lines
    .map(
      (line, i) =>
        `<text x="${PADDING}" y="${textTop + i * LINE_HEIGHT}" font-size="${FONT_SIZE}">${escapeXml(line)}</text>`,
    )
    .join('');
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${CELL_WIDTH}" height="${height}" font-family="sans-serif">` +
    `<rect x="${PADDING}" y="${badgeTop}" width="70" height="${BADGE_HEIGHT - 3}" rx="3" fill="${BADGES[label]}"/>` +
    `<text x="${PADDING + 8}" y="${badgeTop + 13}" font-size="12" font-weight="bold" fill="#fff">${label}</text>${text}</svg>`
  );
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Text that XML reads as that text; characters that XML does not allow become U+FFFD. */
export function escapeXml(text: string): string {
  return text
    .replace(/[^\t\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replace(/[&<>"']/g, (character) => ENTITIES[character]);
}
