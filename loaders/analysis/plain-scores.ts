import type { Architecture } from "../../engine/architecture.js";
import { UserError } from "../../engine/errors.js";

/**
 * For experiments that compute attention from queries and keys: scores must be q·k times a scale, over all earlier keys.
 * @throws UserError that says what a layer adds. @param experiment who asks
 */
export function requirePlainScores({ blocks, positions, family }: Architecture, experiment: string): void {
  for (const [layer, { attention }] of blocks.entries()) {
    const added = [
      positions.kind === "alibi" && "a bias by distance",
      attention.softcap !== undefined && "a soft cap",
      attention.window !== undefined && "a window",
      attention.sinks !== undefined && "a learned sink",
    ].find((what) => what !== false);
    if (added === undefined) continue;
    throw new UserError(
      `${experiment} computes attention from queries and keys alone, but layer ${layer} of this ${family} model has ${added}: take a model with plain softmax attention.`,
    );
  }
}
