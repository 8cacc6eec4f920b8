/**
 * The sentence frames of the grammar, one table a kind. Slots in braces:
 * `S` a noun phrase, `B` one that may follow "no", `H` the bare noun, `they`/`are`/`have`/`do`/`belong` agree with it; `P V D A L` a predicate list of
 * the frame's polarity (`P.ban` names one outright, `*P.ban` with a plural verb); `in`, `out`, `places` the settings; `a`, `b` two categories; `n`, `c`, `cs`, `is`
 * a count, its noun, the plural noun and their verb; `=name` a filler. `held` frames are never used in training.
 */

export interface Frame {
  readonly template: string;
  readonly weight: number;
  /** The only split that uses this frame; null: training does, and every other split in combinations withheld from it. */
  readonly held: 'validation' | 'test' | null;
}

/** `template`, `3 template` (three times as frequent), `test: template` or `validation: template`, one a line. */
function frames(table: string): Frame[] {
  return table
    .trim()
    .split('\n')
    .map((line) => {
      const parts = /^\s*(?:(validation|test): )?(?:(\d) )?(.+)$/.exec(line);
      const [, held, weight, template] = parts ?? [];
      return {
        template,
        weight: Number(weight ?? 1),
        held: held === 'validation' || held === 'test' ? held : null,
      };
    });
}

const EITHER_POLARITY = `
  6 {S} {P}.
  4 {D} {S}.
  Please {D} {S}.
  Users, please {D} {S}.
  2 We {D} {S}.
  2 {S}: {L}.
  {A}: {S}.
  It is {A} to {=show} {S}.
  {=showing} {S} is {A}.
  As for {S}, {they} {P}.
  The rule for {S} is: {L}.
  Treat {S} as {A}.
  {=site}, {S} {P}.
  {=site}, we {D} {S}.
  {S} {are} something we {D}.
  {=who} {=must} {V} {S}.
  {=everyone} {=should} {V} {S}.
  It is our rule to {V} {S}.
  We want to {V} {S}.
  Remember that {S} {P}.
  To be clear, {S} {P}.
  {=site}, {=showing} {S} is {A}.
  test: To {=show} {S} is {A}.
  test: Our rule is that {S} {P}.
  test: With us, it is {A} to {=show} {S}.
  test: {=who} {D} {S}.
  validation: For {S}, the rule is: {L}.
  validation: We think that {S} {P}.
  validation: Our editors want to {V} {S}.
`;

export const BAN_FRAMES = frames(
  `${EITHER_POLARITY.trimEnd()}
  2 {S} {P} {=end}.
  2 No {B}.
  2 No {B} {=noEnd}.
  2 There {=must} be no {B}.
  There {=mayNot} be {B}.
  No picture {=may} {=contain} {H}.
  Nobody {=may} {=show} {B}.
  {=site}, nobody {=may} {=show} {B}.
  You {=mayNot} {=show} {S}.
  Pictures {=mayNot} {=contain} {H}.
  Say no to {S}.
  Please say no to {S}.
  When it comes to {S}, the answer is no.
  We want no {B}.
  Nothing with {H} {=may} appear.
  test: We say no to {S}.
  test: No image {=may} {=contain} {H}.
  test: Users {=may} not {=show} {S}.
  test: We want to see no {B}.
  validation: The answer to {S} is no.
  validation: Images {=mayNot} {=contain} {H}.
  validation: We show no {B}.`,
);

export const ALLOW_FRAMES = frames(
  `${EITHER_POLARITY.trimEnd()}
  2 {S} {P} {=end}.
  You {=may} {=show} {S}.
  Pictures {=may} {=contain} {H}.
  There {=may} be {B}.
  {=everyone} {=may} {=show} {S}.
  Say yes to {S}.
  Please say yes to {S}.
  When it comes to {S}, the answer is yes.
  {S} {are} there for all to see.
  There is nothing wrong with {S}.
  We have nothing against {S}.
  test: We say yes to {S}.
  test: Users {=may} {=show} {S}.
  test: There is no problem with {S}.
  test: Everything with {H} {=may} appear.
  validation: The answer to {S} is yes.
  validation: Images {=may} {=contain} {H}.
  validation: We are fine with {S}.`,
);

export const NEVER_IN_FRAMES = frames(`
  5 {S} {P.ban} {in}.
  3 {in}, {S} {P.ban}.
  3 {D.ban} {S} {in}.
  2 {in}, {D.ban} {S}.
  Please {D.ban} {S} {in}.
  We {D.ban} {S} {in}.
  {in}, we {D.ban} {S}.
  2 {S} {in}: {L.ban}.
  {A.ban} {in}: {S}.
  2 No {B} {in}.
  {in}, no {B}.
  {in}: no {B}.
  There {=must} be no {B} {in}.
  {in}, there {=must} be no {B}.
  It is {A.ban} to {=show} {S} {in}.
  {in}, it is {A.ban} to {=show} {S}.
  {=showing} {S} {in} is {A.ban}.
  Nobody {=may} {=show} {B} {in}.
  You {=mayNot} {=show} {S} {in}.
  As for {S}, {they} {P.ban} {in}.
  {=who} {=must} {V.ban} {S} {in}.
  {places} must be free of {B}.
  {places} are no place for {B}.
  {places} {=mayNot} {=show} {S}.
  Keep {S} out of {places}.
  Keep {places} free of {B}.
  3 {S} {P.allow} except {in}.
  2 {S} {P.plain}, but not {in}.
  2 {S} {P.plain}, but never {in}.
  Except {in}, {S} {P.allow}.
  {S} {P.allow} anywhere but {in}.
  {S} {P.allow} if not {in}.
  {D.allow} {S} except {in}.
  {V.plain} {S}, but not {in}.
  We {V.plain} {S}, but not {in}.
  {S}: {L.plain}, but not {in}.
  {S}: {L.allow} except {in}.
  {S}: not {in}.
  {=showing} {S} is {A.allow} except {in}.
  test: When {in}, {S} {P.ban}.
  test: {S}: {L.ban} {in}.
  test: {in}, {=showing} {S} is {A.ban}.
  test: {places} have no place for {B}.
  test: {V.plain} {S} anywhere but {in}.
  test: It is {A.allow} to {=show} {S} except {in}.
  test: We want no {B} {in}.
  validation: For {places}, the rule is: no {B}.
  validation: Say no to {S} {in}.
  validation: {S} {P.allow} if they are not {in}.
  validation: {S} {in} {P.ban}.
  validation: {in}, nobody {=may} {=show} {B}.
`);

export const ONLY_IN_FRAMES = frames(`
  5 {S} {P.plain} only {in}.
  3 {S} {P.plain} {in} only.
  2 Only {in}, {S} {P.plain}.
  3 {D.plain} {S} only {in}.
  Please {V.plain} {S} only {in}.
  We {V.plain} {S} only {in}.
  {V.plain} {S} {in} only.
  It is {A.plain} to {=show} {S} only {in}.
  {=showing} {S} is {A.plain} only {in}.
  {S}: {L.plain} only {in}.
  2 {S}: only {in}.
  {S}: {in} only.
  2 {S}: {L.plain} {in}, but nowhere else.
  2 Only {places} may {=show} {S}.
  {S} {belong} only {in}.
  {S} {belong} {in} and nowhere else.
  You {=may} {=show} {S} only {in}.
  {S} {P.plain} {in} and nowhere else.
  {S} {P.plain} {in}, but nowhere else.
  {=who} {=must} {V.plain} {S} only {in}.
  As for {S}, {they} {P.plain} only {in}.
  3 {S} {P.ban} except {in}.
  3 {S} {P.ban} {out}.
  {out}, {S} {P.ban}.
  Except {in}, {S} {P.ban}.
  {S} {P.ban} unless {in}.
  {S} {P.ban} anywhere but {in}.
  2 {D.ban} {S} {out}.
  {D.ban} {S} except {in}.
  {D.ban} {S} unless {in}.
  We {D.ban} {S} {out}.
  2 No {B} {out}.
  No {B} except {in}.
  There {=must} be no {B} {out}.
  {out}, there {=must} be no {B}.
  {S}: {L.ban} except {in}.
  {S}: {L.ban} {out}.
  You {=mayNot} {=show} {S} {out}.
  It is {A.ban} to {=show} {S} {out}.
  test: {S} {P.plain} if {in}, but nowhere else.
  test: {D.plain} {S} {in} and nowhere else.
  test: {out}, {D.ban} {S}.
  test: Except {in}, {D.ban} {S}.
  test: Only {in}, we {V.plain} {S}.
  test: Nobody {=may} {=show} {B} {out}.
  test: No {B} unless {in}.
  validation: {out}, it is {A.ban} to {=show} {S}.
  validation: {S}: {in}, nowhere else.
  validation: We {V.plain} {S} {in} only.
  validation: {=showing} {S} {out} is {A.ban}.
  validation: No {B} anywhere but {in}.
`);

export const TOGETHER_FRAMES = frames(`
  5 {a} and {b} {T.finite}.
  2 {a} {W.with} {b} {P.ban}.
  3 {D.ban} {a} {W.with} {b}.
  We {D.ban} {a} {W.with} {b}.
  Please {D.ban} {a} {W.with} {b}.
  2 No {a} {W.with} {b}.
  There {=must} be no {a} {W.with} {b}.
  2 {a} and {b}: {T.label}.
  {a} {W.with} {b}: {L.ban}.
  It is {A.ban} to {=show} {a} {W.with} {b}.
  {=showing} {a} {W.with} {b} is {A.ban}.
  Keep {a} and {b} apart.
  Keep {a} away from {b}.
  {T.label}: {a} and {b}.
  No picture {=may} {=contain} both {a} and {b}.
  Nobody {=may} {=show} both {a} and {b}.
  {D.ban} pictures with both {a} and {b}.
  Pictures with both {a} and {b} {*P.ban}.
  You {=mayNot} {=show} {a} together with {b}.
  Where there {are} {a}, there {=must} be no {b}.
  {=who} {=must} {V.ban} {a} {W.with} {b}.
  test: {a} {P.ban} {W.with} {b}.
  test: Images with both {a} and {b} {*P.ban}.
  test: {D.ban} {a} and {b} in the same picture.
  test: We want no {a} {W.with} {b}.
  test: We keep {a} and {b} apart.
  validation: {=site}, {a} and {b} {T.finite}.
  validation: Pictures {=mayNot} {=contain} both {a} and {b}.
  validation: {a} must stay away from {b}.
`);

export const AT_MOST_FRAMES = frames(`
  4 {M.limit} {n} {c} {M.allowed}.
  2 Show {M.limit} {n} {c}.
  2 Allow {M.limit} {n} {c}.
  We allow {M.limit} {n} {c}.
  Please show {M.limit} {n} {c}.
  2 {M.limit} {n} {c}.
  2 {M.limit} {n} {c} in one picture.
  2 {cs}: {M.limit} {n}.
  {cs}: {n}, but no more.
  A picture {=may} {=contain} {M.limit} {n} {c}.
  There {=may} be {M.limit} {n} {c}.
  You {=may} {=show} {M.limit} {n} {c}.
  3 More than {n} {c} {M.banned}.
  2 {D.ban} more than {n} {c}.
  We {D.ban} more than {n} {c}.
  No picture {=may} {=contain} more than {n} {c}.
  Nobody {=may} {=show} more than {n} {c}.
  The limit is {n} {c}.
  {n} {c} {is} the limit.
  {n} {c} {is} enough.
  You {=mayNot} {=show} more than {n} {c}.
  It is {A.ban} to {=show} more than {n} {c}.
  Never more than {n} {c}.
  test: Pictures {=may} {=contain} {M.limit} {n} {c}.
  test: Pictures {=mayNot} {=contain} more than {n} {c}.
  test: In one picture, {M.limit} {n} {c} {M.allowed}.
  test: For {cs}, the limit is {n}.
  test: There {=mayNot} be more than {n} {c}.
  validation: The limit for {cs} is {n}.
  validation: {n} {c}, but no more.
  validation: In one picture, more than {n} {c} {M.banned}.
`);
