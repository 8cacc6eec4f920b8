/** Sentences that rule nothing: what a page says besides its rules, some of it about places and pictures. */
import { hashShare } from './splits.js';

const PLACES = 'schools|hospitals|museums|churches|offices|stadiums|many homes';

/** Alternatives in brackets; every choice makes a sentence. */
const TEMPLATES: readonly string[] = [
  'We [care about|think of|listen to|thank|are here for] [every visitor|our readers|all our guests|every family|our users|the people who visit us].',
  '[Many|Most|Some] of our [pictures|images|readers|guests] come from [schools|hospitals|museums|churches|offices|other places].',
  `[Our team|One of us|A person] [reads|looks at|answers] every [message|question|letter] [with care|each day|by hand].`,
  'This page was written [by our team|for everyone|in an office|in a museum|long ago|with care].',
  `People in [${PLACES}] [read this page|visit us|write to us] [often|every week|each year].`,
  'Thank you for [reading this page|your patience|your help|your pictures|your questions].',
  '[Questions|Comments|Ideas] about [this page|these rules|our pictures] go to [our team|our office|our editors].',
  '[Our first aim|Our main goal|Our hope|Our wish] is [a calm place|a friendly site|good pictures|trust] for [everyone|all visitors|our readers].',
  'We started [as a small site|in a school|at the beach|in an office|at home] [many years ago|last year|long ago].',
  '[A good picture|Every picture|An image] tells [a story|more than words|us something].',
  'These rules [are for everyone|were written with care|change from time to time|are read each year].',
  'We [work|meet|write] [at home|in an office|in a school|in a museum] [every day|each week|with many others].',
  '[Trust|Care|Patience|Respect] is [what we stand for|part of our work|close to our hearts].',
  'Pictures [make us smile|show the world|bring people together|help us remember|start many a talk].',
  'Please [write to us|call us|ask us] [when you have questions|when something is not clear|at any time].',
  '[Last year|This week|Long ago] we [moved to a new office|met in a museum|visited a school|had many visitors].',
  'We [believe in|work for|hope for] [a calm site|good pictures|honest words|open minds|quiet days].',
  'The people [at our office|on our team|behind this page] [enjoy their work|come from many places|have been here for years].',
  'Our [pictures|images|pages] [reach|are seen by] [people in many places|schools and homes|visitors of all ages].',
];

const expand = (template: string): string[] => {
  const open = template.indexOf('[');
  if (open < 0) return [template];
  const close = template.indexOf(']', open);
  const rest = expand(template.slice(close + 1));
  return template
    .slice(open + 1, close)
    .split('|')
    .flatMap((choice) => rest.map((tail) => template.slice(0, open) + choice + tail))
    .map((text) => text.charAt(0).toUpperCase() + text.slice(1));
};

/** Every sentence, in the split that alone uses it: training three quarters, validation and test a part each. */
export const VOICE_SENTENCES: Readonly<Record<'train' | 'validation' | 'test', readonly string[]>> = (() => {
  const all = TEMPLATES.flatMap(expand);
  const between = (low: number, high: number): string[] =>
    all.filter((text) => hashShare(`voice|${text}`) >= low && hashShare(`voice|${text}`) < high);
  return { train: between(0, 0.75), validation: between(0.75, 0.85), test: between(0.85, 1) };
})();
