import { describe, expect, it } from 'vitest';
import { splitSentences } from './sentences.js';

describe('splitSentences', () => {
  const table: readonly (readonly [string, readonly string[]])[] = [
    ['No weapons. No alcohol.', ['No weapons.', 'No alcohol.']],
    ['no weapons. alcohol is fine', ['no weapons.', 'alcohol is fine']],
    ['Is it art? Allow it! Else, ban it.', ['Is it art?', 'Allow it!', 'Else, ban it.']],
    ['Ban drugs, e.g. Cannabis or pills. Allow beer.', ['Ban drugs, e.g. Cannabis or pills.', 'Allow beer.']],
    ['Ban knives, guns, etc. No alcohol.', ['Ban knives, guns, etc.', 'No alcohol.']],
    ['Ban knives, etc. in schools.', ['Ban knives, etc. in schools.']],
    ['At most 2.5 l of beer. Nothing else.', ['At most 2.5 l of beer.', 'Nothing else.']],
    ['At most 2. No more.', ['At most 2.', 'No more.']],
    ['See rule No. 5 for more. No. 5 wins.', ['See rule No. 5 for more.', 'No. 5 wins.']],
    ['May we? No. Never.', ['May we?', 'No.', 'Never.']],
    ['1. No weapons.', ['1. No weapons.']],
    ['The U.S. Army may be shown.', ['The U.S. Army may be shown.']],
    ['Not shown in the U.S. No weapons.', ['Not shown in the U.S.', 'No weapons.']],
    ['Ask J. Smith. He knows.', ['Ask J. Smith.', 'He knows.']],
    [
      'A sign "No guns. Ever." is allowed. Guns are not.',
      ['A sign "No guns. Ever." is allowed.', 'Guns are not.'],
    ],
    ['He said "No guns." Then he left.', ['He said "No guns."', 'Then he left.']],
    ['“Stop!” signs are fine. So are lights.', ['“Stop!” signs are fine.', 'So are lights.']],
    ['“Stop!” he said.', ['“Stop!” he said.']],
    ['No gore (blood, wounds. Anything). No fire.', ['No gore (blood, wounds. Anything).', 'No fire.']],
    ['Hm... maybe. Ask first…', ['Hm... maybe.', 'Ask first…']],
    ['A 12" screen. A 10" one. Fine.', ['A 12" screen.', 'A 10" one.', 'Fine.']],
    ['An open "quote. Still two.', ['An open "quote.', 'Still two.']],
    ['禁止武器。允许酒。', ['禁止武器。', '允许酒。']],
    ['  one   space\tonly ', ['one space only']],
    ['', []],
  ];
  it.each(table)('%j', (text, sentences) => {
    expect(splitSentences(text)).toEqual(sentences);
  });
});
