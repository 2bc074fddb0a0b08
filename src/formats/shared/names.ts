/** Hands out names that are unique in one graph; a name that is taken gets the suffix _1, _2, ... */
export class Names {
  private readonly taken = new Set<string>();
  /** Where to go on counting for a base, so that many equal names do not cost quadratic time. */
  private readonly next = new Map<string, number>();

  fresh(wanted: string): string {
    const base = wanted === "" ? "unnamed" : wanted;
    let name = base;
    let i = this.next.get(base) ?? 0;
    while (this.taken.has(name)) name = `${base}_${++i}`;
    this.next.set(base, i);
    this.taken.add(name);
    return name;
  }

  has(name: string): boolean {
    return this.taken.has(name);
  }
}
