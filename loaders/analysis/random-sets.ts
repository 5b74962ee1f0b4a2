/** What some heads do, compared with sets of heads that were drawn at random. */
import { type BootstrapOptions, bootstrapGroups, type Interval, mean } from "../../engine/interval.js";
import { relativeLoss, type Unit } from "./reading.js";

/**
 * Bootstrap over independent units (texts, lists) of one or several kinds, and over the random sets: what a set does
 * depends on which heads are in it, so that sets are resampled with the units. The statistic is given the numbers of the
 * units and sets that were drawn. `n` counts units.
 * @param sizes number of units of each kind
 * @param sets number of random sets
 */
export function withSets(
  sizes: readonly number[],
  sets: number,
  statistic: (units: readonly (readonly number[])[], sets: readonly number[]) => number,
  options: BootstrapOptions,
): Interval {
  const indices = [...sizes, sets].map((n) => Array.from({ length: n }, (_, i) => i));
  const interval = bootstrapGroups(
    indices,
    (groups) => statistic(groups.slice(0, -1), groups[groups.length - 1]),
    options,
  );
  return { ...interval, n: Math.min(...sizes) };
}

/** Accuracies on one task without some heads, and without each random set. */
export interface Removed {
  readonly own: readonly Unit[];
  readonly random: readonly (readonly Unit[])[];
}

/** A statistic of the extra losses on one or several tasks: relative loss, less the mean of that without random sets. */
export function extraLosses(
  tasks: readonly Removed[],
  statistic: (losses: readonly number[]) => number,
  options: BootstrapOptions,
): Interval {
  const sizes = tasks.map(({ own }) => own.length);
  const extra = ({ own, random }: Removed, units: readonly number[], sets: readonly number[]) => {
    const lost = (of: readonly Unit[]) => relativeLoss(units.map((unit) => of[unit]));
    return lost(own) - mean(sets.map((set) => lost(random[set])));
  };
  return withSets(
    sizes,
    tasks[0].random.length,
    (units, sets) => statistic(tasks.map((task, i) => extra(task, units[i], sets))),
    options,
  );
}
