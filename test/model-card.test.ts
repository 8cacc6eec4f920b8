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
    const image = await decodeImage('examples/museum-knife.png');
    const text = ' [1] "No weapons."\n [2] "Any other sensitive subject is allowed."';
    const content = [
      { type: 'image' as const, image },
      { type: 'text' as const, text },
    ];
    const prompt = model.processor.encodeChat([{ role: 'user', content }]);
    const [{ tokens }] = await model.generate([prompt], { maxNewTokens: 512 });
    expect(printed).toBe(`${model.processor.tokenizer.decode(tokens, { skipSpecialTokens: true })}\n`);
    expect(printed).toContain('knife: weapons [1] "No weapons." banned</think><answer>no</answer>');
    await model.dispose();
  });
});
