import { ranks } from "../../engine/interval.js";

/**
 * Area under the ROC curve: how often a value of the one class is above one of the other, ties counting half; NaN where a
 * class has fewer than `least`. Source: J. Hanley and B. McNeil, Radiology 143 (1982), 29–36.
 */
export function auc(values: readonly number[], positive: readonly boolean[], least = 1): number {
  const count = positive.filter(Boolean).length;
  const others = positive.length - count;
  if (count < least || others < least) return Number.NaN;
  const order = ranks(values);
  const sum = positive.reduce((total, is, i) => total + (is ? order[i] : 0), 0);
  return (sum - (count * (count + 1)) / 2) / (count * others);
}
