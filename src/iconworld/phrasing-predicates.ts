/**
 * The predicates of the grammar, as lists that frames refer to by name. `{are}`, `{have}`, `{do}` agree with the
 * subject. `plain` is the part of `allow` that may be followed by "only". `fresh.*` holds words no training sentence uses.
 */

const split = (text: string): string[] => text.split('|');

const P_PLAIN = split(
  '{are} allowed|{are} permitted|{are} acceptable|{are} accepted|{are} okay|{are} fine|{are} welcome|{are} within the rules|' +
    'may be shown|may appear|may stay|can be shown|can appear|can stay|should be allowed|will be allowed|will be accepted',
);
const V_PLAIN = split('allow|permit|accept|welcome|keep|show');
const A_PLAIN = split('allowed|permitted|acceptable|okay|fine|accepted');
const V_BAN = split(
  'ban|forbid|prohibit|remove|reject|block|refuse|avoid|never allow|never permit|never show|never accept|never keep',
);
const V_ALLOW = [
  ...V_PLAIN,
  ...split(
    'always allow|always permit|always accept|always keep|never ban|never remove|never block|never reject',
  ),
];

/** `P` follows a subject, `V` is a base verb before an object, `D` also "do not …", `A` is an adjective, `L` a bullet's last word. */
export const PREDICATES = {
  'P.ban': split(
    '{are} banned|{are} forbidden|{are} prohibited|{are} not allowed|{are} not permitted|{are} not accepted|{are} never allowed|' +
      '{are} never permitted|{are} not acceptable|{are} never acceptable|{are} unacceptable|{are} off limits|{are} out of bounds|' +
      '{are} not welcome|{are} never welcome|{are} unwelcome|{are} not okay|{are} never okay|{are} never fine|' +
      '{are} against the rules|{are} always removed|{are} always rejected|{are} always blocked|' +
      'must not be shown|must not appear|must never be shown|must never appear|may not be shown|may not appear|' +
      'may never be shown|may never appear|should not be shown|should not appear|should never be shown|should never appear|' +
      'cannot be shown|cannot appear|cannot stay|can never be shown|must be removed|must be rejected|must be blocked|' +
      'should be removed|should be blocked|will be removed|will be rejected|{have} to be removed|{have} no place|{do} not belong',
  ),
  'P.allow': [
    ...P_PLAIN,
    ...split(
      '{are} always allowed|{are} always permitted|{are} always fine|{are} always okay|{are} always welcome|{are} no problem|' +
        '{are} not a problem|{are} never removed|{are} never blocked|{are} never rejected|{are} not banned|{are} not forbidden|' +
        '{are} not off limits|may always be shown|may always appear|must be allowed|must not be removed|must never be blocked|' +
        'should not be removed|should stay|will not be removed|do not have to be removed',
    ).map((text) => text.replace(/^do /, '{do} ')),
  ],
  'P.plain': P_PLAIN,
  'V.ban': V_BAN,
  'V.allow': V_ALLOW,
  'V.plain': V_PLAIN,
  'D.plain': V_PLAIN,
  'D.ban': [...V_BAN, ...split('do not allow|do not permit|do not show|do not accept|do not keep')],
  'D.allow': [...V_ALLOW, ...split('do not ban|do not remove|do not block|do not reject|do not forbid')],
  'A.ban': split(
    'banned|forbidden|prohibited|not allowed|not permitted|not accepted|not acceptable|unacceptable|not okay|never okay|never fine|' +
      'never allowed|never permitted|never acceptable',
  ),
  'A.allow': [
    ...A_PLAIN,
    ...split(
      'always allowed|always permitted|always fine|always okay|always acceptable|not banned|not forbidden',
    ),
  ],
  'A.plain': A_PLAIN,
  'L.ban': split(
    'never|banned|forbidden|prohibited|not allowed|not permitted|never allowed|off limits|out of bounds|not acceptable|not okay|' +
      'not welcome|no|remove|reject|block',
  ),
  'L.allow': split(
    'always|allowed|permitted|always allowed|fine|always fine|okay|acceptable|welcome|yes|no problem|not banned|keep|accept',
  ),
  'L.plain': split('allowed|permitted|fine|okay|acceptable|accepted|welcome|yes'),
  'T.finite': split(
    'must never appear together|must not appear together|may not appear together|may never be shown together|' +
      'must not be shown together|should never be shown together|should not appear together|cannot be shown together|' +
      'cannot appear together|are banned together|are not allowed together|are never allowed together|are forbidden together|' +
      'are not acceptable together|are not permitted together|do not belong together|must not share a picture|' +
      'may not share a picture|may never share a picture|cannot share a picture|should not share a picture|' +
      'must be kept apart|should be kept apart|must stay apart|should stay apart|do not mix|must not be mixed|may never be mixed',
  ),
  'T.label': split(
    'never together|not together|never in one picture|not in one picture|not in the same picture|never in the same picture|' +
      'keep them apart|not allowed together|banned together|do not mix',
  ),
  'W.with': split('with|next to|together with|beside|along with|in one picture with|in the same picture as'),
  'M.limit': split('at most|no more than|not more than|up to|a maximum of|at the very most|only up to'),
  'M.allowed': split(
    'may be shown|may appear|can be shown|can appear|{are} allowed|{are} permitted|{are} fine|{are} okay|{are} acceptable',
  ),
  'M.banned': split(
    '{are} banned|{are} not allowed|{are} not permitted|{are} forbidden|{are} never allowed|{are} not acceptable|{are} unacceptable|' +
      '{are} too many|must not be shown|may not be shown|may never appear|should not appear|cannot be shown|must be rejected',
  ),
} as const satisfies Readonly<Record<string, readonly string[]>>;
export type PredicateList = keyof typeof PREDICATES;

/** The same lists in words that training never uses. */
export const FRESH_PREDICATES: Readonly<Record<PredicateList, readonly string[]>> = {
  'P.ban': split(
    '{are} outlawed|{are} disallowed|{are} taboo|{are} intolerable|must vanish|will be deleted|must be taken down|{are} censored',
  ),
  'P.allow': split(
    '{are} tolerated|{are} unrestricted|{are} approved|{are} legitimate|cause no trouble|deserve respect',
  ),
  'P.plain': split('{are} tolerated|{are} approved|{are} legitimate|{are} suitable'),
  'V.ban': split('purge|exclude|delete|outlaw|disallow|censor|eliminate|take down'),
  'V.allow': split('tolerate|approve|embrace|endorse|leave up'),
  'V.plain': split('tolerate|approve|embrace|endorse'),
  'D.plain': split('tolerate|approve|embrace|endorse'),
  'D.ban': split('purge|exclude|delete|outlaw|disallow|censor|eliminate|take down'),
  'D.allow': split('tolerate|approve|embrace|endorse|leave up'),
  'A.ban': split('outlawed|disallowed|taboo|intolerable|inadmissible'),
  'A.allow': split('tolerated|approved|legitimate|unobjectionable'),
  'A.plain': split('tolerated|approved|legitimate'),
  'L.ban': split('outlawed|disallowed|taboo|delete|exclude'),
  'L.allow': split('tolerated|approved|unrestricted|sure'),
  'L.plain': split('tolerated|approved|suitable'),
  'T.finite': split('must never coexist|should be separated|are incompatible|may never be combined'),
  'T.label': split('never combined|incompatible|separate them'),
  'W.with': split('alongside|accompanied by|combined with'),
  'M.limit': split('a ceiling of|never exceeding|capped at'),
  'M.allowed': split('{are} tolerated|{are} approved'),
  'M.banned': split('{are} excessive|{are} outlawed|{are} disallowed'),
};

/** Words that vary a sentence without deciding what it rules; they are no part of a combination. */
export const FILLERS = {
  show: split('show|post|share|display|include'),
  contain: split('show|display|include'),
  showing: split('showing|posting|sharing|displaying'),
  must: split('must|should|will'),
  should: split('must|should|will|have to'),
  may: split('may|can'),
  mayNot: split('must not|may not|should not|should never|must never|cannot'),
  noEnd: split('at all|ever|please|here|anywhere|under any conditions'),
  end: split('on our pages|here|as a rule|with us'),
  site: split('on this site|on our pages|with us|by our rules|for all visitors'),
  who: split('moderators|editors|our team|reviewers'),
  everyone: split('everyone|anyone|our users'),
} as const satisfies Readonly<Record<string, readonly string[]>>;
export type FillerList = keyof typeof FILLERS;
