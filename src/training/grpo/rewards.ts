/** @module The rewards that a run's configuration names, for the run itself and for the reward service. */
import type { GuardProfile } from '../../guard/profile.js';
import { profileFrom } from '../../guard/profiles/index.js';
import { remoteRewards } from '../rewards/remote.js';
import type { RewardFunction } from '../rewards/reward.js';
import { RewardTable } from '../rewards/table.js';
import type { GrpoConfig } from './config.js';
import { DEFAULT_PROFILE } from './prompts.js';

/** The profile that a configuration names: the data's own where it names none. */
export function profileOf({ profile, data }: GrpoConfig): Promise<GuardProfile> {
  return profileFrom(profile ?? (data.source === 'iconworld' ? 'iconworld' : DEFAULT_PROFILE));
}

/** A run's rewards; functions of one's own go before those that a service computes, and these before the known ones. */
export function rewardsOf(
  config: GrpoConfig,
  profile: GuardProfile,
  own: Readonly<Record<string, RewardFunction>> = {},
): RewardTable {
  return new RewardTable({
    weights: config.rewards,
    profile,
    maxCompletionLength: config.max_completion_length,
    functions: { ...remoteRewards(config.remote_rewards ?? {}), ...own },
  });
}
