/** @module A server whose models caption, rewrite and judge pictures of one colour: what it says depends on the request alone. */
import type { RequestListener } from 'node:http';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { onTestFinished } from 'vitest';
import { bodyOf, listen, type WireRequest } from '../engines/stand-in-server.test-util.js';

/** The answer to a request; null breaks it: the body is no JSON. */
export type Answering = (request: {
  readonly model: string;
  readonly text: string;
  /** The red of the picture's first pixel. */
  readonly red: number;
  readonly wire: WireRequest;
}) => string | null | Promise<string | null>;

/** A captioner that says the colour, a rewriter that repeats it, a judge that lets all pass. */
export const HONEST: Readonly<Record<string, Answering>> = {
  captioner: ({ red }) => `An image of red ${red}.`,
  rewriter: ({ text }) => `Plainly: ${/An image of red \d+\./.exec(text)?.[0]}`,
  judge: () => 'Yes. It is right.',
};

export interface RecaptionServer {
  readonly baseURL: string;
  /** `model red` of each request. */
  readonly asked: string[];
}

export async function recaptionServer(
  answers: Readonly<Record<string, Answering>> = HONEST,
): Promise<RecaptionServer> {
  const asked: string[] = [];
  const handler: RequestListener = (request, response) => {
    const respond = async (): Promise<void> => {
      const wire = await bodyOf(request);
      const content = wire.messages[0].content;
      const parts = typeof content === 'string' ? [] : content;
      const url = parts.find(({ image_url: image }) => image !== undefined)?.image_url?.url ?? '';
      const pixels = await sharp(Buffer.from(url.split(',')[1], 'base64'))
        .raw()
        .toBuffer();
      const text = parts.map((part) => part.text ?? '').join('');
      asked.push(`${wire.model} ${pixels[0]}`);
      const answer = await answers[wire.model]({ model: wire.model, text, red: pixels[0], wire });
      response.setHeader('content-type', 'application/json');
      const choice = { index: 0, message: { content: answer }, finish_reason: 'stop' };
      response.end(answer === null ? 'Internal: {' : JSON.stringify({ choices: [choice] }));
    };
    respond().catch(() => response.destroy());
  };
  const { url, close } = await listen(handler);
  onTestFinished(close);
  return { baseURL: `${url}/v1`, asked };
}

/** Pictures of red 0, 10, 20 …, named by it. */
export async function redPictures(folder: string, count: number): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < count; i++) {
    const background = { r: 10 * i, g: 0, b: 0 };
    await sharp({ create: { width: 32, height: 32, channels: 3, background } })
      .png()
      .toFile(join(folder, `red-${String(10 * i).padStart(3, '0')}.png`));
  }
}

/** Three models on one server. */
export const threeModels = (base_url: string) => {
  const at = (model: string) => ({ engine: 'openai', base_url, model });
  return { captioner: at('captioner'), rewriter: at('rewriter'), judge: at('judge') };
};
