import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '../util/errors.js';
import { profileOfFolder } from './settings.js';
import { profileNamed } from './profiles/index.js';
import { unknownWordsNote, Vocabulary } from './vocabulary.js';

const data = {
  words: ['2', 'games', 'may', 'no', 'not', 'of', 'show', "don't", 'chance', 'weapons'],
  ruling: ['may', 'no', 'not'],
  subjects: { weapons: ['weapons'], gambling: ['games of chance', 'betting'] },
};
const vocabulary = new Vocabulary(data);

describe('the words of a policy', () => {
  it.each([
    ['No weapons.', []],
    ['No guns, no knives, no guns.', ['guns', 'knives']],
    ['no Weapons', ['Weapons']],
    ['NO WEAPONS', ['NO', 'WEAPONS']],
    ['Show 2, not 3.', ['3']],
    ["Don't show weapons (of chance)!", []],
    ['No 🔫 & 刀.', ['🔫', '刀']],
    ['Кот', ['Кот']],
    ['…', []],
  ])('%j: unknown are %j', (text, unknown) => {
    expect(vocabulary.unknownWords([text])).toEqual(unknown);
  });

  it('name categories by whole phrases', () => {
    const subjects = (text: string): string[] => [...vocabulary.statements([text])[0].subjects];
    expect(subjects('No GAMES of chance, no weapons.')).toEqual(['weapons', 'gambling']);
    expect(subjects('Games may be of weaponsmiths by chance.')).toEqual([]);
  });

  it('are named once for a policy, and not all of them', () => {
    expect(unknownWordsNote('tiny', 'Shop', [])).toBeNull();
    expect(unknownWordsNote('tiny', 'Shop', vocabulary.unknownWords(['No guns.', 'Guns, guns.']))).toMatch(
      /^tiny was never trained on these words of Shop: guns, Guns; .*--model$/,
    );
    const many = Array.from({ length: 40 }, (_, i) => `w${i}`);
    expect(unknownWordsNote('tiny', 'Shop', many)).toContain('w11 and 28 more;');
    expect(unknownWordsNote('tiny', 'Shop', ['x'.repeat(5000)])?.length).toBeLessThan(300);
  });

  it('are read in time linear in the policy', () => {
    // A statement of four times the size costs about four times as much, whatever stands in it; the limit is generous.
    for (const piece of ['a ', "a'", '🔫', 'games of ', '1a']) {
      const seconds = [16_000, 64_000].map((size) => {
        const text = piece.repeat(size / piece.length);
        const begun = performance.now();
        for (let i = 0; i < 5; i++) vocabulary.statements([text]);
        return performance.now() - begun;
      });
      expect(seconds[1]).toBeLessThan(16 * seconds[0] + 200);
    }
  });
});

describe('the vocabulary file of a checkpoint', () => {
  const folderWith = (files: Readonly<Record<string, string>>): string => {
    const folder = mkdtempSync(join(tmpdir(), 'vocabulary-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return folder;
  };
  const settings = '{"profile": "iconworld", "vocabulary": "words.json"}';

  it('is known to the profile, also to one that was chosen', async () => {
    const folder = folderWith({ 'guard.json': settings, 'words.json': JSON.stringify(data) });
    const profile = await profileOfFolder(folder);
    expect(profile.vocabulary?.unknownWords(['No guns.'])).toEqual(['guns']);
    const chosen = await profileOfFolder(folder, folder, profileNamed('iconworld'));
    expect(chosen.vocabulary?.unknownWords(['No guns.'])).toEqual(['guns']);
    expect(await profileOfFolder(folder, folder, profileNamed('paper'))).toBe(profileNamed('paper'));
  });

  it.each([
    ['missing', {}],
    ['no JSON', { 'words.json': '{' }],
    ['no list', { 'words.json': '{"words": 3}' }],
    ['too large', { 'words.json': `"${'x'.repeat(1_000_001)}"` }],
  ])('is refused where it is %s', async (_, files) => {
    const folder = folderWith({ 'guard.json': settings, ...files });
    await expect(profileOfFolder(folder)).rejects.toThrow(UserError);
    await expect(profileOfFolder(folder)).rejects.toThrow(/words\.json/);
  });

  it('stands in the folder and is a file', async () => {
    const elsewhere = folderWith({ 'guard.json': '{"profile": "iconworld", "vocabulary": "../words.json"}' });
    await expect(profileOfFolder(elsewhere)).rejects.toThrow(/guard\.json is not understood/);
    const device = folderWith({ 'guard.json': settings });
    symlinkSync('/dev/zero', join(device, 'words.json'));
    await expect(profileOfFolder(device)).rejects.toThrow(UserError);
  });
});
