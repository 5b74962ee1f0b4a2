import { UserError } from "../../engine/errors.js";

/**
 * Whole numbers that an experiment cannot do with less of; a list is checked value by value.
 * @throws UserError that names the parameter.
 */
export function requireAtLeast<P extends Readonly<Record<string, number | readonly number[]>>>(
  parameters: P,
  least: { readonly [N in keyof P]?: number },
): void {
  for (const [name, smallest = 0] of Object.entries(least)) {
    for (const value of [parameters[name]].flat()) {
      if (Number.isInteger(value) && value >= smallest) continue;
      throw new UserError(`Parameter ${name} is ${value} and must be a whole number of at least ${smallest}.`);
    }
  }
}
