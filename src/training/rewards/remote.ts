/** @module A reward that a service computes: asked in batches, with a limit of time, again where that can help. */
import { withoutTrailingSlashes } from '../../util/addresses.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { delayBefore } from '../../util/backoff.js';
import { fetchFailure, UserError } from '../../util/errors.js';
import type { RewardFunction } from './reward.js';
import { errorResponse, requestOf, REWARDS_PATH, rewardResponse } from './wire.js';

export interface RemoteReward {
  /** Where the service listens, without the route: `http://127.0.0.1:8710`. */
  readonly url: string;
  /** The longest wait for one answer. */
  readonly timeout_seconds: number;
  /** How often a batch is sent again after a failure that may pass. */
  readonly retries: number;
}

export type Delay = (milliseconds: number) => Promise<unknown>;

/** Statuses that may be gone a moment later, besides all of 500 and more. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429]);
const SERVER_FAULT = 500;
const MILLISECONDS = 1000;

/** What is worth another try, with what happened. */
class PassingFailure extends Error {}

/** A function that asks the service of each name for its values. */
export function remoteRewards(
  services: Readonly<Record<string, RemoteReward>>,
  delay: Delay = sleep,
): Readonly<Record<string, RewardFunction>> {
  return Object.fromEntries(
    Object.entries(services).map(([name, service]) => [name, remoteReward(name, service, delay)]),
  );
}

/** @throws UserError where the service does not answer after all tries, refuses, or gives no values of that name. */
function remoteReward(name: string, service: RemoteReward, delay: Delay): RewardFunction {
  const place = `${withoutTrailingSlashes(service.url)}${REWARDS_PATH}`;
  return async (inputs) => {
    const body = JSON.stringify(requestOf(inputs));
    for (let attempt = 0; ; attempt++) {
      try {
        return valuesOf(name, place, await post(place, body, service.timeout_seconds));
      } catch (error) {
        if (!(error instanceof PassingFailure)) throw error;
        if (attempt >= service.retries) {
          throw new UserError(
            `${place} does not answer after ${attempt + 1} tries (${error.message}): start the service, then give the same command again to go on from the last checkpoint`,
          );
        }
        await delay(delayBefore(attempt));
      }
    }
  };
}

/** The token that a service may want, from the environment, as the shims send it. */
function authorization(): Record<string, string> {
  const token = process.env['SAFEGUARD_REWARDS_TOKEN'];
  return token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` };
}

async function post(place: string, body: string, seconds: number): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(place, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization() },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(seconds * MILLISECONDS),
    });
    text = await response.text();
  } catch (error) {
    throw new PassingFailure(whyOf(error, seconds));
  }
  if (!response.ok) {
    const said = errorResponse.safeParse(parsed(text));
    const words = said.success ? said.data.error.message : `status ${response.status}`;
    if (response.status >= SERVER_FAULT || PASSING.has(response.status)) throw new PassingFailure(words);
    throw new UserError(`${place} refuses the batch: ${words}`);
  }
  return parsed(text);
}

function whyOf(error: unknown, seconds: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${seconds} s`;
  return fetchFailure(error);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function valuesOf(name: string, place: string, answer: unknown): readonly (number | null)[] {
  const read = rewardResponse.safeParse(answer);
  const values = read.success ? new Map(Object.entries(read.data.rewards)).get(name) : undefined;
  if (values === undefined) {
    throw new UserError(
      `${place} gave no rewards called '${name}': it must answer {"rewards": {"${name}": […]}}`,
    );
  }
  return values;
}
