import { basinDepth, itemAttention } from "./items.js";
import { distanceOctaves, firstTokenMass, mass, previousTokenMass, selfMass, topMass } from "./mass.js";
import type { Metric } from "./metric.js";
import { keyNorm, queryNorm, residualNorm, tokenUniformity, valueNorm } from "./norms.js";
import { duplicateToken, induction, previousToken, retrievalScore } from "./patterns.js";
import { effectiveSupport, entropy, maximum, meanDistance, normalisedEntropy } from "./rows.js";
import { laterSinks, received, sinkRate } from "./sinks.js";

/** Every metric there is. */
export const metrics: readonly Metric<unknown>[] = [
  entropy,
  normalisedEntropy,
  effectiveSupport,
  maximum,
  meanDistance,
  mass,
  firstTokenMass,
  selfMass,
  previousTokenMass,
  topMass(8),
  distanceOctaves,
  received,
  sinkRate,
  laterSinks,
  previousToken,
  duplicateToken,
  induction,
  retrievalScore,
  itemAttention,
  basinDepth,
  queryNorm,
  keyNorm,
  valueNorm,
  residualNorm,
  tokenUniformity,
];
