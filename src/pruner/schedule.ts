/** rho(t) = rho0 * (1 + t / T)^alpha: the share of the remaining channels that iteration t of T removes. */
export interface Schedule {
  readonly rho0: number;
  readonly iterations: number;
  readonly alpha: number;
}

export function share({ rho0, iterations, alpha }: Schedule, t: number): number {
  return Math.min(1, rho0 * (1 + t / iterations) ** alpha);
}

/** Channels that iteration t removes of `remaining`: floor(rho(t) * remaining). */
export function removals(schedule: Schedule, t: number, remaining: number): number {
  return Math.floor(share(schedule, t) * remaining);
}
