/**
 * Roundings that an f32 exponential or logarithm may cost: what the kernels promise (argument reduction and a
 * polynomial, within 4 units of 2^-24 of the exact value, relative).
 */
export const EXP_ROUNDINGS = 4;
