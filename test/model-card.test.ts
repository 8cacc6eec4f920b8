import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../src/images/decode.js';
import { LoadedModel } from '../src/generation/model.js';

const SNIPPET = 'examples/model-card.mjs';
const TINY = 'models/safeguard-vl-tiny';

describe("the model card's snippet", () => {
  const source = readFileSync(SNIPPET, 'utf8');

  it('stands in the README word for word', () => {
    expect(readFileSync('README.md', 'utf8')).toContain(`\`\`\`js\n${source}\`\`\``);
  });

  it("runs, and prints what the engine's own door gives", async () => {
    const printed = execFileSync(process.execPath, [SNIPPET], { encoding: 'utf8' });
    const model = await LoadedModel.load(TINY);
    const policy = /policy = '(.+)';/.exec(source)?.[1] ?? '';
    const image = await decodeImage('examples/museum-knife.png');
    const text = `Based on the following safety policy, determine if this image is safe or unsafe.\n\nPolicy:\n${policy}\n\nProvide your reasoning and final judgment (Safe/Unsafe).`;
    const prompt = model.processor.encodeChat([
      {
        role: 'user',
        content: [
          { type: 'image', image },
          { type: 'text', text },
        ],
      },
    ]);
    const [{ tokens }] = await model.generate([prompt], { maxNewTokens: 512 });
    expect(printed).toBe(`${model.processor.tokenizer.decode(tokens, { skipSpecialTokens: true })}\n`);
    await model.dispose();
  });
});
