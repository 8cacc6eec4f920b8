import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { decodeImage } from '../../images/decode.js';
import type { RgbImage } from '../../images/image.js';
import { UserError } from '../../util/errors.js';
import type { ContentPart, Message } from './chat.js';
import { ChatTemplate } from './chat-template.js';
import { collate } from './collate.js';
import { Processor } from './processor.js';

const GOLDENS = 'test/goldens';
const FOLDER = `${GOLDENS}/checkpoints/tied`;
interface Golden {
  readonly images: string[];
  readonly text: string;
  readonly input_ids: number[][];
  readonly image_grid_thw: number[][];
  readonly pixel_values_mean: number;
}
const goldens: Golden[] = JSON.parse(readFileSync(`${FOLDER}/processor.json`, 'utf8'));
const processor = await Processor.load(FOLDER);
const { tokenizer } = processor;
const special = [...tokenizer.specialTokens.keys()];
const specialIds = new Set(tokenizer.specialTokens.values());

/** One merged token of one colour. */
const image = (side = 56): RgbImage => ({
  width: side,
  height: side,
  data: new Uint8Array(3 * side * side).fill(99),
});
const text = (words: string): ContentPart => ({ type: 'text', text: words });
const picture = (): ContentPart => ({ type: 'image', image: image() });

/** Each run of image tokens as one again. */
const collapsed = (ids: readonly number[]): number[] => {
  const pad = tokenizer.id('<|image_pad|>');
  return ids.filter((id, i) => id !== pad || ids[i - 1] !== pad);
};

describe('Processor.encodeText', () => {
  it('gives the ids, grids and pixels of transformers', async () => {
    for (const golden of goldens) {
      const images = await Promise.all(golden.images.map((name) => decodeImage(`${GOLDENS}/images/${name}`)));
      const made = processor.encodeText(golden.text, images);
      expect([made.inputIds]).toEqual(golden.input_ids);
      expect(made.images.map(({ grid }) => [...grid])).toEqual(golden.image_grid_thw);
      const { pixelValues } = collate([made], { padId: processor.padId, side: 'left' });
      const mean = pixelValues.reduce((sum, value) => sum + value, 0) / pixelValues.length;
      expect(mean).toBeCloseTo(golden.pixel_values_mean, 5);
    }
  });

  it.each([
    ['<|image_pad|><|image_pad|>', 1, /2 places for images .* but there are 1 images/],
    ['no place', 1, /0 places for images .* but there are 1 images/],
    ['<|image_pad|>', 0, /1 places for images .* but there are 0 images/],
  ])('refuses %s with %i images', (words, count, message) => {
    const images = Array.from({ length: count }, () => image());
    expect(() => processor.encodeText(words, images)).toThrow(UserError);
    expect(() => processor.encodeText(words, images)).toThrow(message);
  });
});

describe('Processor.encodeChat', () => {
  const messages: Message[] = [
    { role: 'system', content: 'Say what you see.' },
    {
      role: 'user',
      content: [picture(), text('Safe | unsafe? '), picture(), text('<tool_call> </think>\n')],
    },
    { role: 'assistant', content: 'Neither.' },
    { role: 'user', content: 'é and é' },
  ];

  it('gives the ids of the rendered text where no words are special', () => {
    const rendered = processor.applyChatTemplate(messages, { addGenerationPrompt: true });
    const images = [image(), image()];
    expect(processor.encodeChat(messages)).toEqual(processor.encodeText(rendered, images));
  });

  it('gives the same from a folder as transformers 5 writes it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'processor-'));
    cpSync(`${GOLDENS}/checkpoints/tied-resaved`, folder, { recursive: true });
    const resaved = await Processor.load(folder);
    rmSync(folder, { recursive: true });
    expect(resaved.encodeChat(messages)).toEqual(processor.encodeChat(messages));
    expect(resaved.padId).toBe(processor.padId);
  });

  it('opens the answer unless told otherwise', () => {
    const open = processor.encodeChat(messages).inputIds;
    const closed = processor.encodeChat(messages, { addGenerationPrompt: false }).inputIds;
    expect(open.slice(0, closed.length)).toEqual(closed);
    expect(tokenizer.decode(open.slice(closed.length))).toBe('<|im_start|>assistant\n');
  });

  const hostile = fc
    .array(
      fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(...special, '<|', '|>', '<|im_', 'end|>', 'image_pad|>') },
        {
          weight: 2,
          arbitrary: fc.constantFrom(
            '\ue000',
            '\ue001',
            '\ue000\ue001',
            '\ue002',
            '\uf8ff',
            '{{ x }}',
            '{% y %}',
          ),
        },
        fc.string({ unit: 'binary', maxLength: 6 }),
      ),
      { maxLength: 10 },
    )
    .map((pieces) => pieces.join(''));
  const content = fc.oneof(
    hostile,
    fc.array(fc.oneof(hostile.map(text), hostile.map(text), fc.constant(picture())), { maxLength: 4 }),
  );
  const chat: fc.Arbitrary<Message[]> = fc.array(
    fc.record({ role: fc.constantFrom('system' as const, 'user' as const, 'assistant' as const), content }),
    { maxLength: 3 },
  );

  /** The same chat with harmless words. */
  const harmless = (messages: readonly Message[]): Message[] =>
    messages.map(({ role, content }) => ({
      role,
      content:
        typeof content === 'string' ? 'x' : content.map((part) => (part.type === 'text' ? text('x') : part)),
    }));

  /** What must not depend on the words: the special tokens; and what must be theirs: the text that comes back. */
  function outcome(tested: Processor, messages: readonly Message[]) {
    const { inputIds, images } = tested.encodeChat(messages);
    return {
      special: inputIds.filter((id) => specialIds.has(id)),
      imageTokens: images.reduce((sum, { grid: [t, h, w] }) => sum + (t * h * w) / 4, 0),
      text: tokenizer.decode(collapsed(inputIds)).normalize('NFC'),
    };
  }
  function expected(tested: Processor, messages: readonly Message[]): ReturnType<typeof outcome> {
    const { special } = outcome(tested, harmless(messages));
    const rendered = tested.applyChatTemplate(messages, { addGenerationPrompt: true });
    return {
      special,
      imageTokens: special.filter((id) => id === tokenizer.id('<|image_pad|>')).length,
      // UTF-8 has no half surrogates.
      text: Buffer.from(rendered).toString().normalize('NFC'),
    };
  }

  it('makes no special token of any words, and loses none of them', () => {
    fc.assert(
      fc.property(chat, (messages) => {
        expect(outcome(processor, messages)).toEqual(expected(processor, messages));
      }),
      { numRuns: 500 },
    );
  });

  it('makes none of halves in neighbouring parts', () => {
    const content = [text('<|im_'), text('end|>'), text('<|image_pad'), text('|>'), picture()];
    const messages: Message[] = [{ role: 'user', content }];
    expect(outcome(processor, messages)).toEqual(expected(processor, messages));
  });

  it('makes none of what a template’s filter leaves', () => {
    const template = new ChatTemplate(
      "{% for m in messages %}<|im_start|>{{ m['content'] | replace('-', '') | trim }}<|im_end|>{% endfor %}",
    );
    const { imageProcessor, padId } = processor;
    const filtering = new Processor(tokenizer, imageProcessor, template, padId);
    const { inputIds } = filtering.encodeChat([{ role: 'user', content: '  a<|im_-end|>b|  ' }]);
    expect(inputIds.filter((id) => specialIds.has(id))).toEqual([1001, 1002]);
    expect(tokenizer.decode(inputIds)).toBe('<|im_start|>a<|im_end|>b|<|im_end|>');
  });

  it('reads a long policy full of special tokens as words', () => {
    const words = '<|im_end|><|image_pad|>'.repeat(8000);
    const { inputIds, images } = processor.encodeChat([{ role: 'user', content: [picture(), text(words)] }]);
    expect(images).toHaveLength(1);
    expect(inputIds.filter((id) => id === tokenizer.id('<|image_pad|>'))).toHaveLength(4);
    expect(tokenizer.decode(inputIds)).toContain(words);
  });

  it('refuses a role that is no word', () => {
    // From JavaScript or JSON any role may come.
    const messages: Message[] = JSON.parse('[{"role": "user<|im_end|>", "content": "x"}]');
    expect(() => processor.encodeChat(messages)).toThrow(UserError);
    expect(() => processor.encodeChat(messages)).toThrow(/"user<\|im_end\|>" is no role of a message/);
  });

  it('refuses a template that drops an image', () => {
    const { imageProcessor, padId } = processor;
    const blind = new Processor(tokenizer, imageProcessor, new ChatTemplate('no images'), padId);
    const messages: Message[] = [{ role: 'user', content: [picture()] }];
    expect(() => blind.encodeChat(messages)).toThrow(/0 places for images .* but there are 1 images/);
  });
});

describe('collate', () => {
  const [short, long] = [processor.encodeText('ab'), processor.encodeText('a<|image_pad|>bcd', [image()])];
  it.each([
    ['left', [1000n, 1000n]],
    ['right', []],
  ] as const)('pads on the %s', (side, before) => {
    const made = collate([short, long], { padId: 1000, side });
    const gap = long.inputIds.length - short.inputIds.length;
    expect([made.batch, made.seq]).toEqual([2, long.inputIds.length]);
    const first = [...made.inputIds.subarray(0, made.seq)];
    expect(first.slice(0, before.length)).toEqual(before);
    expect(first.filter((id) => id === 1000n)).toHaveLength(gap);
    expect([...made.inputIds.subarray(made.seq)]).toEqual(long.inputIds.map(BigInt));
    expect([...made.attentionMask]).toEqual([...made.inputIds].map((id) => (id === 1000n ? 0n : 1n)));
    expect(made.grids).toEqual([[1, 4, 4]]);
    expect(made.pixelValues).toEqual(long.images[0]?.pixelValues);
  });

  it('takes no prompts', () => {
    const made = collate([], { padId: 0, side: 'left' });
    expect([made.batch, made.seq, made.inputIds.length, made.pixelValues.length]).toEqual([0, 0, 0, 0]);
  });
});

describe('Processor.load', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'processor-'));
  cpSync(FOLDER, scratch, { recursive: true });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it('takes <|endoftext|> for padding where no token is named', async () => {
    const config: object = JSON.parse(readFileSync(join(FOLDER, 'tokenizer_config.json'), 'utf8'));
    writeFileSync(join(scratch, 'tokenizer_config.json'), JSON.stringify({ ...config, pad_token: null }));
    expect((await Processor.load(scratch)).padId).toBe(1000);
  });

  it.each([
    ['tokenizer.json', '{}', /tokenizer\.json describes no tokenizer/],
    ['tokenizer_config.json', '[]', /tokenizer_config\.json must hold a JSON object/],
    ['preprocessor_config.json', '{"patch_size": "big"}', /not valid at patch_size/],
    ['preprocessor_config.json', undefined, /says nowhere how images are prepared/],
    ['chat_template.json', '{', /chat_template\.json is not JSON/],
  ])('refuses a folder with a bad %s: %s', async (name, content, message) => {
    const path = join(scratch, name);
    const before = readFileSync(path);
    if (content === undefined) rmSync(path);
    else writeFileSync(path, content);
    const loading = Processor.load(scratch);
    await expect(loading).rejects.toThrow(UserError);
    await expect(loading).rejects.toThrow(message);
    writeFileSync(path, before);
  });
});
