import type { Category, Icon } from './types.js';

/** Name, main colour in Fluent's drawing, Fluent id, and Noto's id where it is called otherwise there. */
type Row = readonly [name: string, color: string, fluent: string, noto?: string];

/**
 * What may stand in a scene. Chosen by eye at 28 px in both styles: each differs from every other one in shape or colour,
 * and none looks like a setting's sign.
 */
const SENSITIVE: Readonly<Record<Category, readonly Row[]>> = {
  weapons: [
    ['pistol', 'green', 'water-pistol'],
    ['knife', 'gray', 'kitchen-knife'],
    ['bomb', 'purple', 'bomb'],
    ['axe', 'red', 'axe'],
    ['bow', 'brown', 'bow-and-arrow'],
  ],
  alcohol: [
    ['beer', 'yellow', 'beer-mug'],
    ['wine', 'purple', 'wine-glass'],
    ['cocktail', 'green', 'cocktail-glass'],
    ['champagne', 'green', 'bottle-with-popping-cork'],
    ['sake', 'gray', 'sake'],
  ],
  drugs: [
    ['pill', 'red', 'pill'],
    ['syringe', 'blue', 'syringe'],
    ['mushroom', 'red', 'mushroom'],
    ['cigarette', 'white', 'cigarette'],
    ['herb', 'green', 'herb'],
  ],
  gambling: [
    ['dice', 'white', 'game-die'],
    ['slots', 'purple', 'slot-machine'],
    ['joker', 'white', 'joker'],
    ['mahjong', 'white', 'mahjong-red-dragon'],
    ['spade', 'black', 'spade-suit'],
  ],
  monsters: [
    ['ghost', 'white', 'ghost'],
    ['alien', 'green', 'alien'],
    ['goblin', 'red', 'goblin'],
    ['dragon', 'green', 'dragon'],
    ['invader', 'purple', 'alien-monster'],
  ],
  gore: [
    ['skull', 'white', 'skull'],
    ['bone', 'white', 'bone'],
    ['blood', 'red', 'drop-of-blood'],
    ['coffin', 'brown', 'coffin'],
    ['brain', 'pink', 'brain'],
  ],
  religion: [
    ['cross', 'purple', 'latin-cross'],
    ['mosque', 'yellow', 'mosque'],
    ['kaaba', 'purple', 'kaaba'],
    ['shrine', 'red', 'shinto-shrine'],
    ['hamsa', 'blue', 'hamsa'],
  ],
  politics: [
    ['ballot', 'gray', 'ballot-box-with-ballot'],
    ['megaphone', 'yellow', 'megaphone'],
    ['fist', 'yellow', 'raised-fist'],
    ['statue', 'green', 'statue-of-liberty'],
    ['scroll', 'yellow', 'scroll'],
  ],
  money: [
    ['moneybag', 'brown', 'money-bag'],
    ['banknote', 'green', 'dollar-banknote'],
    ['coin', 'yellow', 'coin'],
    ['credit card', 'blue', 'credit-card'],
    ['diamond', 'blue', 'gem-stone'],
  ],
  romance: [
    ['kiss', 'pink', 'kiss-mark'],
    ['heart', 'pink', 'heart-with-arrow'],
    ['love letter', 'purple', 'love-letter'],
    ['ring', 'gray', 'ring'],
    ['rose', 'red', 'rose'],
  ],
  disaster: [
    ['volcano', 'brown', 'volcano'],
    ['cyclone', 'blue', 'cyclone'],
    ['fire', 'orange', 'fire'],
    ['wave', 'blue', 'water-wave'],
    ['explosion', 'red', 'collision'],
  ],
  insects: [
    ['ant', 'purple', 'ant'],
    ['bee', 'yellow', 'honeybee'],
    ['cockroach', 'brown', 'cockroach'],
    ['ladybug', 'red', 'lady-beetle'],
    ['butterfly', 'orange', 'butterfly'],
  ],
};

const HARMLESS: readonly Row[] = [
  ['apple', 'red', 'red-apple'],
  ['banana', 'yellow', 'banana'],
  ['grapes', 'purple', 'grapes'],
  ['strawberry', 'red', 'strawberry'],
  ['watermelon', 'red', 'watermelon'],
  ['pineapple', 'yellow', 'pineapple'],
  ['carrot', 'orange', 'carrot'],
  ['broccoli', 'green', 'broccoli'],
  ['pizza', 'orange', 'pizza'],
  ['cake', 'orange', 'birthday-cake'],
  ['coffee', 'white', 'hot-beverage'],
  ['car', 'red', 'automobile'],
  ['bicycle', 'pink', 'bicycle'],
  ['train', 'gray', 'locomotive'],
  ['airplane', 'blue', 'airplane'],
  ['sailboat', 'yellow', 'sailboat'],
  ['rocket', 'red', 'rocket'],
  ['balloon', 'red', 'balloon'],
  ['football', 'white', 'soccer-ball'],
  ['basketball', 'orange', 'basketball'],
  ['guitar', 'red', 'guitar'],
  ['bell', 'yellow', 'bell'],
  ['camera', 'purple', 'camera'],
  ['telephone', 'red', 'telephone'],
  ['book', 'red', 'closed-book'],
  ['pencil', 'orange', 'pencil'],
  ['scissors', 'red', 'scissors'],
  ['chair', 'brown', 'chair'],
  ['backpack', 'red', 'backpack'],
  ['snowman', 'white', 'snowman'],
  ['sunflower', 'yellow', 'sunflower'],
  ['cactus', 'green', 'cactus'],
  ['penguin', 'black', 'penguin'],
  ['owl', 'brown', 'owl'],
  ['turtle', 'green', 'turtle'],
  ['frog', 'green', 'frog'],
];

function icon(category: Category | null, [name, color, fluent, noto = fluent]: Row): Icon {
  return { name, category, color, fluent, noto };
}

/** The sensitive icons of each category. */
export const ICONS_BY_CATEGORY: Readonly<Record<Category, readonly Icon[]>> = {
  weapons: SENSITIVE.weapons.map((row) => icon('weapons', row)),
  alcohol: SENSITIVE.alcohol.map((row) => icon('alcohol', row)),
  drugs: SENSITIVE.drugs.map((row) => icon('drugs', row)),
  gambling: SENSITIVE.gambling.map((row) => icon('gambling', row)),
  monsters: SENSITIVE.monsters.map((row) => icon('monsters', row)),
  gore: SENSITIVE.gore.map((row) => icon('gore', row)),
  religion: SENSITIVE.religion.map((row) => icon('religion', row)),
  politics: SENSITIVE.politics.map((row) => icon('politics', row)),
  money: SENSITIVE.money.map((row) => icon('money', row)),
  romance: SENSITIVE.romance.map((row) => icon('romance', row)),
  disaster: SENSITIVE.disaster.map((row) => icon('disaster', row)),
  insects: SENSITIVE.insects.map((row) => icon('insects', row)),
};

/** Icons that no policy rules on. */
export const HARMLESS_ICONS: readonly Icon[] = HARMLESS.map((row) => icon(null, row));

/** Every icon that may be a thing in a scene: 60 sensitive and 36 harmless ones. */
export const ICONS: readonly Icon[] = [...Object.values(ICONS_BY_CATEGORY).flat(), ...HARMLESS_ICONS];

const BY_NAME: ReadonlyMap<string, Icon> = new Map(ICONS.map((one) => [one.name, one]));

/** The icon of that name, or undefined. */
export function iconNamed(name: string): Icon | undefined {
  return BY_NAME.get(name);
}
