/** The nouns of IconWorld v1: scenes of icons, policies of rules, and what follows from both. */

/** The twelve kinds of sensitive things a policy may rule on. */
export const CATEGORIES = [
  'weapons',
  'alcohol',
  'drugs',
  'gambling',
  'monsters',
  'gore',
  'religion',
  'politics',
  'money',
  'romance',
  'disaster',
  'insects',
] as const;
export type Category = (typeof CATEGORIES)[number];

/** The places a scene may be set in; each is drawn as a background with one large sign icon. */
export const SETTINGS = [
  'hospital',
  'school',
  'museum',
  'home',
  'stadium',
  'church',
  'beach',
  'office',
] as const;
export type Setting = (typeof SETTINGS)[number];

/** The icon set that draws a scene: `fluent` in training, `noto` as the unseen style. */
export type Style = 'fluent' | 'noto';

/** One kind of thing; `category` is null for harmless ones. `name` is its one plain name in every text. */
export interface Icon {
  readonly name: string;
  readonly category: Category | null;
  readonly color: string;
  /** Icon id in @iconify-json/fluent-emoji-flat. */
  readonly fluent: string;
  /** Icon id of the same thing in @iconify-json/noto. */
  readonly noto: string;
}

/** One thing placed in a scene: `x`, `y` its centre and `size` its side, in pixels of the scene; angle in degrees. */
export interface PlacedThing {
  readonly icon: Icon;
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly angle: number;
  readonly flip: boolean;
  /** Factor on brightness, 1 = unchanged. */
  readonly light: number;
}

/** Everything that decides a picture; rendering it twice gives the same pixels. `things` are ordered left to right by centre. */
export interface Scene {
  readonly seed: string;
  readonly width: number;
  readonly height: number;
  readonly style: Style;
  readonly setting: Setting | null;
  readonly background: Background;
  readonly things: readonly PlacedThing[];
}

export interface Background {
  readonly kind: 'plain' | 'gradient' | 'texture';
  /** `#rrggbb`; gradient and texture use both. */
  readonly from: string;
  readonly to: string;
  readonly angle: number;
}

/** What labels and texts need to know of a scene: the place and the things in order. */
export interface SceneFacts {
  readonly setting: Setting | null;
  readonly things: readonly Icon[];
}

/** What one statement of a policy rules; `voice` rules nothing. */
export type Rule =
  | { readonly kind: 'ban'; readonly categories: readonly Category[] }
  | { readonly kind: 'allow'; readonly categories: readonly Category[] }
  | {
      readonly kind: 'onlyIn';
      readonly categories: readonly Category[];
      readonly settings: readonly Setting[];
    }
  | {
      readonly kind: 'neverIn';
      readonly categories: readonly Category[];
      readonly settings: readonly Setting[];
    }
  | { readonly kind: 'neverTogether'; readonly categories: readonly [Category, Category] }
  | { readonly kind: 'atMost'; readonly category: Category; readonly count: number }
  | { readonly kind: 'default'; readonly banned: boolean }
  | { readonly kind: 'voice' };

/** One sentence or bullet of a policy with its meaning. */
export interface Statement {
  readonly rule: Rule;
  readonly text: string;
}

/** A policy whose labels can be computed: its statements in order (number = index + 1) and the page they make. */
export interface IconPolicy {
  readonly title: string;
  readonly statements: readonly Statement[];
  /** The whole page as a person would write it (prose, bullets or sections). */
  readonly text: string;
}
