/**
 * @module Attention in rows that are groups, [prompt | completion 1 | … | completion G]: each completion sees the prompt and
 * itself. Nothing between two completions is computed, and the prompt's part of the scores needs no mask.
 */
import { attention, MASKED, scoredAttention, sharedAttention } from '../../graph/composites.js';
import type { Tensor } from '../../graph/node.js';
import * as op from '../../graph/ops.js';
import { joinRows, type SplitRows, splitRows } from '../../graph/row-composites.js';
import { type Dim, multiplyDims } from '../../graph/shape.js';
import { askedRows } from './asked-rows.js';
import { type AskedStates, type Attend, attendBackwards, lengthOfPieces, type Projections } from './text.js';

/** The way of the tokens of rows [B, S] to places: those of prompts [B, P], and of completions [B, G, L]. */
interface Places {
  readonly prompt: Tensor;
  readonly completions: Tensor;
  /** [B, S], flat in B·(P + G·L). */
  readonly back: Tensor;
}

/** Inputs of so many prompt places: `KIND_prompt` [batch, P], `KIND_completions` [batch, group, longest], `KIND_back` [batch, S]. */
function placesInputs(kind: string, prompt: Dim, row: Dim): Places {
  return {
    prompt: op.input(`${kind}_prompt`, 'i64', ['batch', prompt]),
    completions: op.input(`${kind}_completions`, 'i64', ['batch', 'group', 'longest']),
    back: op.input(`${kind}_back`, 'i64', ['batch', row]),
  };
}

/** Both parts as two-dimensional indices. */
function splitOf({ prompt, completions, back }: Places): SplitRows {
  const [batch, group, longest] = completions.shape;
  return { first: prompt, second: op.reshape(completions, [batch, multiplyDims(group, longest)]), back };
}

/** x [B, S, …] → prompts [B, P, …] and completions [B, G·L, …]. */
function toPlaces(x: Tensor, places: Places): [Tensor, Tensor] {
  const [batch, length, ...inner] = x.shape;
  return splitRows(op.reshape(x, [multiplyDims(batch, length), ...inner]), splitOf(places));
}

const headsFirst = (x: Tensor): Tensor => op.transpose(x, [0, 2, 1, 3]);

/** What is known of the places of prompts: [B, P] each, f32. */
interface PromptMarks {
  /** 1 for a token, 0 for a place without. */
  readonly present: Tensor;
  /** 1 for place 0, which never holds a token: to a completion it stands for its own tokens. */
  readonly own: Tensor;
}

/** Completions [B, G·L, heads, D] attend to their prompt [B, P, kvHeads, D] and to themselves → [B, G·L, heads·D]. */
function attendToBoth(
  { query, key, value }: Projections,
  prompt: { readonly key: Tensor; readonly value: Tensor } & PromptMarks,
  { sizes: [group, longest], ownMask }: { readonly sizes: readonly Dim[]; readonly ownMask: Tensor },
): Tensor {
  const [batch, places, heads, size] = query.shape as [Dim, Dim, number, number];
  const scaled = op.mul(query, 1 / Math.sqrt(size));
  const rows = multiplyDims(batch, group);
  const [ownQuery, ownKey, ownValue] = [scaled, key, value].map((x) =>
    headsFirst(op.reshape(x, [rows, longest, ...x.shape.slice(2)])),
  );
  const own = scoredAttention(ownQuery, ownKey, ownValue, ownMask);
  const together = (x: Tensor): Tensor => op.reshape(headsFirst(x), [batch, places, heads, x.shape[3]]);

  const length = prompt.key.shape[1];
  const shown = op.reshape(prompt.present, [batch, length, 1, 1]);
  const hidden = op.mul(op.sub(1, op.add(prompt.present, prompt.own)), MASKED);
  const column = (x: Tensor): Tensor => op.reshape(x, [batch, 1, length, 1]);
  const [shownKey, shownValue] = [prompt.key, prompt.value].map((x) => headsFirst(op.mul(x, shown)));
  const { mixed, share } = sharedAttention(headsFirst(scaled), shownKey, shownValue, {
    score: headsFirst(together(own.score)),
    marks: op.concat([column(prompt.own), column(hidden)], 3),
  });
  const both = op.add(headsFirst(mixed), op.mul(together(own.mixed), headsFirst(share)));
  return op.reshape(both, [batch, places, heads * size]);
}

/** The inputs that say what stands where in a group's row, and how its tokens attend. */
export interface GroupAttention {
  readonly attend: Attend;
  readonly asked: AskedStates;
}

/**
 * Inputs, of {@link groupFeeds}: `places_of_all_prompt` [batch, P], `…_completions` [batch, group, longest] and `…_back` [batch, seq],
 * the same called `places_of_asked_…` for the rows that are asked for (of a prompt its last token, so one place); `prompt_present`
 * and `prompt_own` [batch, P] f32; `prompt_mask` [1, 1, P, P] and `own_mask` [longest, longest]; and those of `askedRows`.
 * P is a multiple of `pieces`, in which prompts attend.
 */
export function groupAttention(pieces: number): GroupAttention {
  const length = lengthOfPieces(pieces, 'prompt');
  const all = placesInputs('places_of_all', length, 'seq');
  const marks: PromptMarks = {
    present: op.input('prompt_present', 'f32', ['batch', length]),
    own: op.input('prompt_own', 'f32', ['batch', length]),
  };
  const firstHidden = op.mul(op.reshape(marks.own, ['batch', 1, 1, length]), MASKED);
  const mask = op.add(op.input('prompt_mask', 'f32', [1, 1, length, length]), firstHidden);
  const causal = attendBackwards(mask, pieces);
  const ownMask = op.input('own_mask', 'f32', ['longest', 'longest']);

  const attendFrom =
    (places: Places, prompts: Attend): Attend =>
    (projections) => {
      const { layer } = projections;
      const [query, key, value] = [
        toPlaces(projections.query, places),
        toPlaces(projections.key, all),
        toPlaces(projections.value, all),
      ];
      const prompt = prompts({ layer, query: query[0], key: key[0], value: value[0] });
      const completions = attendToBoth(
        { layer, query: query[1], key: key[1], value: value[1] },
        { key: key[0], value: value[0], ...marks },
        { sizes: all.completions.shape.slice(1), ownMask },
      );
      return joinRows(prompt, completions, splitOf(places));
    };

  const last: Attend = ({ query, key, value }) => {
    const [batch, one, heads, size] = query.shape;
    const mask = op.reshape(op.mul(op.sub(1, marks.present), MASKED), [batch, 1, 1, length]);
    const mixed = attention(headsFirst(query), headsFirst(key), headsFirst(value), { mask });
    return op.reshape(headsFirst(mixed), [batch, one, multiplyDims(heads, size)]);
  };
  const asked = askedRows('seq');
  return {
    attend: attendFrom(all, causal),
    asked: { ...asked, attend: attendFrom(placesInputs('places_of_asked', 1, 'asked'), last) },
  };
}
