import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { contactSheet, escapeXml, type SheetItem, wrapCaption } from './contact-sheet.js';

function item(caption: string[], label: SheetItem['label'] = 'safe'): SheetItem {
  return { image: { width: 112, height: 140, data: new Uint8Array(3 * 112 * 140).fill(90) }, caption, label };
}

describe('contactSheet', () => {
  it('is a PNG of the grid with pictures and label colours where they belong', async () => {
    const png = await contactSheet([item(['a']), item(['b'], 'unsafe'), item(['c'])], 2);
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect((await sharp(png).metadata()).format).toBe('png');
    expect(info.width).toBe(600);
    expect(info.height).toBe(2 * (224 + 20 + 14 + 30));
    const pixel = (x: number, y: number): number[] => {
      const at = info.channels * (y * info.width + x);
      return Array.from(data.subarray(at, at + 3));
    };
    expect(pixel(150, 100)).toEqual([90, 90, 90]);
    expect(pixel(12, 250)).toEqual([0x1b, 0x7f, 0x3b]);
    expect(pixel(312, 250)).toEqual([0xb3, 0x26, 0x1e]);
    expect(pixel(450, 400)).toEqual([255, 255, 255]);
  });

  it('draws hostile text as text', async () => {
    const hostile = '</text></svg><image href="file:///etc/passwd"/> & <|im_end|> \u0000\u001b \ud800 ]]>';
    await expect(contactSheet([item([hostile, 'x'.repeat(100_000)])], 1)).resolves.toBeInstanceOf(Uint8Array);
    expect(escapeXml(`<a b="c">&'`)).toBe('&lt;a b=&quot;c&quot;&gt;&amp;&apos;');
    expect(escapeXml('\u0000 \ud800 é 🙂')).toBe('\uFFFD \uFFFD é 🙂');
  });

  it('refuses a sheet that no viewer opens', async () => {
    const items = Array.from({ length: 200 }, () => item(['a']));
    await expect(contactSheet(items, 1)).rejects.toThrow('show fewer pictures or change the columns');
  });
});

describe('wrapCaption', () => {
  it('breaks at spaces, at line ends and within words too long, and cuts after 60 lines', () => {
    const lines = wrapCaption([`${'word '.repeat(30)}\nnext`, 'y'.repeat(100)]);
    expect(lines.every((line) => line.length <= 46)).toBe(true);
    const words = Array.from({ length: 30 }, () => 'word');
    expect(lines.join(' ').replaceAll('y y', 'yy').split(' ')).toEqual([...words, 'next', 'y'.repeat(100)]);
    const many = wrapCaption(words.concat(words, words));
    expect(many).toHaveLength(60);
    expect(many.at(-1)).toBe('…');
  });
});
