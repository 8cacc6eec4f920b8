/** @module Words whose full stop need not end a sentence, in lower case and without the last dot. */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/u));

/** Never at the end of a sentence. Those of several letters are written with and without spaces: "z. B.", "z.B.". */
const NEVER = words(`
  e.g i.e eg ie cf vs v viz mr mrs ms mx dr prof st jr sr rev hon approx incl excl a.k.a
  z.b d.h u.a u.ä o.ä o.g s.o s.u i.d.r i.d.f z.t n.chr v.chr vgl bzw ggf evtl inkl exkl bspw bsp sog insb zzgl abzgl mind dipl dipl.-ing hrsg esp resp
  p.ex c.-à-d c.à.d mme mlle env
  p.ej sra srta dra ud uds núm aprox
  p.es sig dott
  bijv bv d.w.z o.a z.g.n mevr dhr
  t.ex f.eks bl.a dvs
  np tj tzn m.in maks ul
  tzv např
  т.е т.к напр см ул
  örn
`);

/** At the end of a sentence only before a capital: "knives, etc. No alcohol." */
const BEFORE_CAPITAL = words(`
  etc al inc ltd co corp a.m p.m usw u.s.w ecc enz osv itp itd atd т.д т.п др p.a
`);

/** "No. 5" and the like: no end of a sentence before a number. "No modern art." ends one. */
const BEFORE_NUMBER = words(`
  no nos nr nrn num n p pp para paras abs ziff kap art arts sec secs sect fig figs ch chap vol eq pt ver ref
  approx ca circa max min ed est dept anh anl bd bl kl pag pág pos rz rn tab tel ust стр ст рис гл п č čl
  jan feb mar apr jun jul aug sep sept oct nov dec okt dez mär mrz jän janv févr juil déc
  mon tue tues wed thu thur thurs fri sat sun
`);

/** Before a number or a small letter: "max. drei", "est. in". */
const BEFORE_LOWER = words('max min ca circa est abt ggü str');

/** A place or office before a name: "St. Mary", "Fire Dept. Hall". Only a {@link STARTERS} word begins a sentence. */
const BEFORE_NAME = words('dept gen gov sen rep capt lt sgt col mt messrs hr fr');

/** After a dotted acronym ("U.S.") only such a word starts a new sentence; "U.S. Army" stays together. */
const STARTERS = words(`
  a all an any do everything if in it never no nothing only other the these this
`);

/** "am 18. Geburtstag", "der 3. Oktober": a number with a dot behind these is an ordinal. */
const BEFORE_ORDINAL = words(`
  der die das den dem des am zum vom im zur beim ab bis seit jeder jede jedes jeden ein eine einen einem einer
`);

/** Months as they stand behind a day with a dot. */
const MONTHS = words(`
  januar jänner februar feber märz april mai juni juli august september oktober november dezember
`);

/** What is written apart: "z" and "z.b" lead to "z.b" and "n.chr". */
const PARTS: ReadonlySet<string> = new Set(
  [...NEVER, ...BEFORE_CAPITAL].flatMap((word) => {
    const parts = word.split('.');
    return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('.'));
  }),
);

export const Abbreviations = {
  NEVER,
  BEFORE_CAPITAL,
  BEFORE_NUMBER,
  BEFORE_LOWER,
  BEFORE_NAME,
  STARTERS,
  BEFORE_ORDINAL,
  MONTHS,
  PARTS,
} as const;
