import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Policy } from '../../policy/policy.js';
import { profileFrom } from './index.js';

const folder = mkdtempSync(join(tmpdir(), 'profile-'));
afterAll(() => rmSync(folder, { recursive: true }));
const image = { width: 1, height: 1, data: new Uint8Array(3) };
const policy = Policy.fromMarkdown('No weapons for $& {policy}. No money.');

const GOOD = `
name: stars
system: You judge.
prompt: |
  Rules:
  {statements}
  Verdict?
answer:
  pattern: '(?<reasoning>.*)\\*(?<verdict>ok|bad)\\*(?: rule (?<rule>\\d+))?'
  safe: [ok]
  unsafe: [bad]
fast: { prefix: '*' }
grammar: '[a-z ]+[*](ok|bad)[*]'
`;
const write = (text: string, name = 'own.yaml'): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

describe('a profile of one’s own', () => {
  it('asks and reads as its file says', async () => {
    const profile = await profileFrom(write(GOOD));
    expect(profile).toMatchObject({ name: 'stars', fast: { prefix: '*' } });
    expect(profile.grammar?.(policy)).toBe('[a-z ]+[*](ok|bad)[*]');
    const [system, user] = profile.messages([image], policy);
    expect(system).toEqual({ role: 'system', content: 'You judge.' });
    // Words of the policy are never taken for places of the template.
    expect(user.content).toEqual([
      { type: 'image', image },
      { type: 'text', text: `Rules:\n${policy.numbered}\nVerdict?\n` },
    ]);
    expect(profile.read('  a gun *bad* rule 1', policy)).toMatchObject({
      label: 'unsafe',
      reasoning: 'a gun',
      verdictAt: '  a gun *'.length,
      violatedRule: { number: 1, text: policy.statements[0] },
    });
    expect(profile.read('fine *ok*', policy).label).toBe('safe');
    for (const raw of ['', 'fine', 'fine *ok* and more', '*no*']) {
      expect(profile.read(raw, policy)).toMatchObject({ label: 'invalid', verdictAt: null });
    }
  });

  it.each([
    [GOOD.replace('name: stars', 'name: "a b"'), /not right at name: letters, digits/],
    [GOOD.replace('{statements}', ''), /not right at prompt: it needs \{policy\} or \{statements\}/],
    [GOOD.replace('(?<verdict>', '('), /has no group \(\?<verdict>/],
    [GOOD.replace('(?<reasoning>', '((('), /is no regular expression/],
    [`${GOOD}\nextra: 1`, /not right at the whole file: .*extra/],
    ['a: [', /is not YAML/],
    ['', /not right at the whole file/],
  ])('is refused with the field that is wrong (%#)', async (text, message) => {
    await expect(profileFrom(write(text))).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringMatching(message),
    });
  });

  it('without a format reads judgment lines, and says how the model is asked for others', async () => {
    const answer = "answer: { closing: 'Bottom line:', safe: [ok], unsafe: [bad] }\n";
    const profile = await profileFrom(write(GOOD.replace(/answer:\n(?: {2}.*\n)+/u, answer)));
    expect(profile.closing).toEqual({
      prefix: '\n\nBottom line:',
      words: { safe: ['ok'], unsafe: ['bad'] },
    });
    expect(profile.read('A gun.\nBottom line: bad', policy).label).toBe('unsafe');
    expect(profile.read('A gun is not ok.', policy).problem?.kind).toBe('undecided');
  });

  it('cites only what the policy has', async () => {
    const profile = await profileFrom(write(GOOD));
    expect(profile.read('a gun *bad* rule 9', policy).problem).toMatchObject({ kind: 'miscited' });
  });

  it('whose pattern does not end has no verdict, and everything else goes on', async () => {
    const slow = GOOD.replace(/pattern: '.*'/u, "pattern: '(?:a+)+(?<verdict>ok|bad)'");
    const { problem } = (await profileFrom(write(slow))).read('a'.repeat(100), policy);
    expect(problem?.message).toMatch(/answer\.pattern of .* took too long on this answer/u);
  });

  it('must be there', async () => {
    await expect(profileFrom(join(folder, 'none.yaml'))).rejects.toThrow(/cannot be read: .*check the path/);
    expect((await profileFrom('card')).name).toBe('card');
  });
});
