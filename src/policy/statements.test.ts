import { describe, expect, it } from 'vitest';
import { Policy } from './policy.js';

const statementsOf = (page: string) => Policy.fromMarkdown(page).statements;
type Table = readonly (readonly [page: string, statements: readonly string[]])[];

const GUNS_BEER = ['No guns', 'No beer'] as const;

describe('labels of lists', () => {
  const twoLines: readonly (readonly [string, string])[] = [
    ['A. ', 'B. '],
    ['a. ', 'b. '],
    ['A) ', 'B) '],
    ['(A) ', '(B) '],
    ['1. ', '2. '],
    ['1.', '2.'],
    ['1)', '2)'],
    ['1: ', '2: '],
    ['[1] ', '[2] '],
    ['（1）', '（2）'],
    ['【1】', '【2】'],
    ['1、', '2、'],
    ['1．', '2．'],
    ['１．', '２．'],
    ['一、', '二、'],
    ['（九）', '（十）'],
    ['十九、', '二十、'],
    ['1.1. ', '1.2. '],
    ['1.1 ', '1.2 '],
    ['2.3.4. ', '2.3.5. '],
    ['I. ', 'II. '],
    ['IX. ', 'X. '],
    ['iv. ', 'v. '],
    ['(i) ', '(ii) '],
    ['XIX) ', 'XX) '],
    ['① ', '② '],
    ['①', '②'],
    ['⑳', '㉑'],
    ['⑴', '⑵'],
    ['⒈', '⒉'],
    ['❶ ', '❷ '],
    ['Ⅰ. ', 'Ⅱ. '],
    ['1️⃣ ', '2️⃣ '],
    ['А. ', 'Б. '],
    ['а) ', 'б) '],
    ['α) ', 'β) '],
    ['가. ', '나. '],
    ['١. ', '٢. '],
    ['१) ', '२) '],
    ['● ', '● '],
    ['●', '●'],
    ['•\t', '•\t'],
    ['▪ ', '▪ '],
    ['‣ ', '‣ '],
    ['· ', '· '],
    ['・', '・'],
    ['◦ ', '◦ '],
    ['■ ', '■ '],
    ['➢ ', '➢ '],
    ['– ', '– '],
    ['— ', '— '],
    ['\uF0B7 ', '\uF0B7 '],
    ['* [ ] ', '* [x] '],
  ];
  it.each(twoLines)('%j and %j', (first, second) => {
    const page = `${first}No guns\n${second}No beer`;
    expect(statementsOf(page)).toEqual(GUNS_BEER);
    expect(Policy.fromText(page).statements).toEqual(GUNS_BEER);
  });

  it.each<Table[number]>([
    ['§ 1 No guns\n§ 2 No beer', ['§ 1 No guns', '§ 2 No beer']],
    ['Rule 1: no guns\nRule 2: no beer', ['Rule 1: no guns', 'Rule 2: no beer']],
    ['第一条 禁止武器\n第二条 允许酒', ['第一条 禁止武器', '第二条 允许酒']],
    ['✅ Beer\n❌ Guns', ['✅ Beer', '❌ Guns']],
    ['✗ Guns ✓ Beer', ['✗ Guns', '✓ Beer']],
  ])('that say something themselves stay: %j', (page, statements) => {
    expect(statementsOf(page)).toEqual(statements);
  });

  it.each<Table[number]>([
    ['A. No guns. B. No beer.', ['No guns.', 'No beer.']],
    ['Rules: A. No guns. B. No beer.', ['Rules:', 'No guns.', 'No beer.']],
    ['1.1. No guns. 1.2. No beer.', ['No guns.', 'No beer.']],
    ['1.No guns. 2.No beer.', ['No guns.', 'No beer.']],
    ['I. No guns. II. No beer. III. No drugs.', ['No guns.', 'No beer.', 'No drugs.']],
    ['1. no guns 2. no beer 3. no drugs', ['no guns', 'no beer', 'no drugs']],
    ['(a) No guns; (b) no beer.', ['No guns;', 'no beer.']],
    ['①禁止武器 ②允许酒', ['禁止武器', '允许酒']],
    ['1、禁止武器；2、允许酒。', ['禁止武器；', '允许酒。']],
    ['● No guns ● No beer ● No drugs', ['No guns', 'No beer', 'No drugs']],
  ])('that run on in a line: %j', (page, statements) => {
    expect(statementsOf(page)).toEqual(statements);
  });

  it.each([
    'J. Smith may be shown.',
    '24.12. is a day of rest.',
    '2.5 litres are the most.',
    'U.S. Army signs are fine.',
    '-5 degrees is cold.',
    '3.Stock is closed.',
    '一、二楼可以展示。',
    '列奥纳多·达·芬奇的画可以展示。',
    'A. Smith and B. Miller are fine.',
  ])('are not seen in %j', (page) => {
    expect(statementsOf(page)).toEqual([page]);
  });
});

describe('ends of sentences', () => {
  it.each<Table[number]>([
    ['看板「禁止武器。」可以展示。不许喝酒。', ['看板「禁止武器。」可以展示。', '不许喝酒。']],
    ['「武器はだめ。」と書いた看板は可。酒は不可。', ['「武器はだめ。」と書いた看板は可。', '酒は不可。']],
    ['「禁止武器。」「禁止酒。」', ['「禁止武器。」', '「禁止酒。」']],
    ['『絵。』は可。', ['『絵。』は可。']],
    ['禁止武器（枪、刀。等等）。允许酒。', ['禁止武器（枪、刀。等等）。', '允许酒。']],
    ['禁止武器。（不论场合。）允许酒。', ['禁止武器。', '（不论场合。）', '允许酒。']],
    ['【重要。】武器は禁止。', ['【重要。】武器は禁止。']],
    ['禁止武器.允许酒.', ['禁止武器.', '允许酒.']],
    ['３．５リットルまで。', ['３．５リットルまで。']],
    ['武器は禁止｡酒は可｡', ['武器は禁止｡', '酒は可｡']],
    ['हथियार नहीं। शराब नहीं।', ['हथियार नहीं।', 'शराब नहीं।']],
    ['हथियार नहीं।शराब नहीं॥', ['हथियार नहीं।', 'शराब नहीं॥']],
    ['ہتھیار منع ہیں۔ شراب منع ہے۔', ['ہتھیار منع ہیں۔', 'شراب منع ہے۔']],
    ['መሣሪያ የለም። አልኮል የለም።', ['መሣሪያ የለም።', 'አልኮል የለም።']],
    ['هل الأسلحة ممنوعة؟ نعم.', ['هل الأسلحة ممنوعة؟', 'نعم.']],
    ['Զենք չկա։ Գինի չկա։', ['Զենք չկա։', 'Գինի չկա։']],
    ['Outer (inner (deep. One). Two) ends. Next.', ['Outer (inner (deep. One). Two) ends.', 'Next.']],
  ])('%j', (page, statements) => {
    expect(statementsOf(page)).toEqual(statements);
  });

  it.each([
    'Verboten, vgl. Nr. 5 der Liste.',
    'Closed on Oct. 3 and Dec. 24 this year.',
    'Max. 3 beers.',
    'Min. zwei Personen, max. drei.',
    'Keine Waffen, z. B. Messer.',
    'Keine Waffen, z.B. Messer, d. h. nichts Spitzes, u. a. Scheren.',
    'Ab dem 18. Lebensjahr, am 3. Oktober, im 2. Stock.',
    'See Art. 5 Abs. 2 and Sec. IV there.',
    'Approx. 5 guns, ca. 3 knives, incl. Toys.',
    'J. R. R. Tolkien and Dr. Smith may be shown.',
    'Pas d’armes, p. ex. couteaux.',
    'Sin armas, p. ej. Cuchillos de la Sra. López, núm. 5.',
    'Niente armi, p. es. Coltelli del sig. Rossi.',
    'Geen wapens, bijv. Messen, d.w.z. Niets scherps.',
    'Bez broni, np. Noży, tj. Niczego.',
    'Без оружия, т. е. Ножей, см. Рис. 5 ниже.',
    'Inga vapen, t.ex. Knivar, bl. a. Saxar.',
  ])('are none in %j', (page) => {
    expect(statementsOf(`${page} No fire.`)).toEqual([page, 'No fire.']);
  });

  it.each<Table[number]>([
    ['No modern art. No guns.', ['No modern art.', 'No guns.']],
    ['Ask Max. No guns.', ['Ask Max.', 'No guns.']],
    ['Wait a sec. Then look.', ['Wait a sec.', 'Then look.']],
    ['Guns, knives usw. Kein Bier.', ['Guns, knives usw.', 'Kein Bier.']],
  ])('stay ends: %j', (page, statements) => {
    expect(statementsOf(page)).toEqual(statements);
  });
});

describe('breaks and HTML', () => {
  it.each<Table[number]>([
    ['No guns<br>No beer<br/>No drugs<BR />No fire', ['No guns', 'No beer', 'No drugs', 'No fire']],
    ['<ul><li>No guns</li><li class="x">No <b>beer</b></li></ul>', GUNS_BEER],
    ['<ol>\n<li>No guns\n<li>No beer\n</ol>', GUNS_BEER],
    ['<p>No guns</p><p>No beer</p>', GUNS_BEER],
    ['<h1>Shop</h1>\n<p>No guns</p>\n<div>No beer</div>', GUNS_BEER],
    ['<table><tr><td>guns</td><td>banned</td></tr></table>', ['guns | banned']],
    ['| guns<br>knives | banned |', ['guns knives | banned']],
    ['No guns  \nNo beer', GUNS_BEER],
    ['- No guns   \n  No beer', GUNS_BEER],
    ['No guns\\\nNo beer', GUNS_BEER],
    ['No guns \nNo beer', ['No guns No beer']],
    ['A <b> that is never closed', ['A that is never closed']],
    ['a < b and c > d', ['a < b and c > d']],
  ])('%j', (page, statements) => {
    expect(statementsOf(page)).toEqual(statements);
  });

  it('keeps two spaces in the text only where they part statements', () => {
    const broken = Policy.fromMarkdown('No guns  \nNo beer  \n\nNo fire.  \nNo fun.  ');
    expect(broken.text).toBe('No guns  \nNo beer\n\nNo fire.\nNo fun.');
    expect(Policy.fromMarkdown(broken.text)).toEqual(broken);
    expect(broken.id).not.toBe(Policy.fromMarkdown('No guns\nNo beer\n\nNo fire.\nNo fun.').id);
  });
});

describe('what a reader does not see', () => {
  it.each([
    '[//]: # (note. to self)\n\nNo guns.',
    'No guns.\n[//]: # (note. to self)',
    '[//]: # "note. to self"\nNo guns.',
    "[//]: # 'note. to self'\nNo guns.",
    '[//]: <> (note. to self)\nNo guns.',
    '[comment]: <> (note. to self (all))\nNo guns.',
    '[comment]: # (note. to\nself)\nNo guns.',
    '[note]: https://example.org/x "note. to self"\nNo guns.',
    'No guns.\n\n[note]: note.html',
    '<!-- note. -->No guns.<!-- to\nself. -->',
  ])('is left out of %j', (page) => {
    const policy = Policy.fromMarkdown(page);
    expect(policy.statements).toEqual(['No guns.']);
    expect(policy.text).not.toContain('note');
  });

  it.each([
    '[Weapons]: forbidden',
    '[//]: # No guns',
    '[x]: #(a and b',
    'No guns <!-- and no beer',
    '[note](note.html) says so',
  ])('but nothing else: %j', (page) => {
    const policy = Policy.fromMarkdown(page);
    expect(policy.text).toBe(page);
    expect(policy.statements).toHaveLength(1);
  });
});
