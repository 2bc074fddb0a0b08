/** Tile functions of one module: equal text is one function, whichever layers call it. */
export class TileLibrary {
  private readonly names = new Map<string, string>();
  private readonly texts: string[] = [];

  /** Name of the function that `make` writes; written once for equal bodies. */
  add(prefix: string, make: (name: string) => string): string {
    const key = make(prefix);
    let name = this.names.get(key);
    if (name === undefined) {
      name = `${prefix}_${this.texts.length}`;
      this.names.set(key, name);
      this.texts.push(make(name));
    }
    return name;
  }

  /** All functions, exported: see `isInternal` in source.ts. */
  get text(): string {
    return this.texts.map((text) => text.replace(/^function /gm, "export function ")).join("\n");
  }
}

/** Lines with the nesting they are in. */
export class Lines {
  private readonly lines: string[] = [];
  private depth = 1;

  add(...lines: string[]): this {
    for (const line of lines) this.lines.push("  ".repeat(this.depth) + line);
    return this;
  }

  /** `head {` body `}` */
  block(head: string, body: () => void): this {
    this.add(head === "" ? "{" : `${head} {`);
    this.depth++;
    body();
    this.depth--;
    return this.add("}");
  }

  /** A counted loop; a single iteration is written without one. `name` is an i32 that the body may use when count > 1. */
  repeat(count: number, name: string, body: () => void): this {
    if (count === 1) {
      body();
      return this;
    }
    return this.block(`for (let ${name} = 0; ${name} < ${count}; ${name}++)`, body);
  }

  toString(): string {
    return this.lines.join("\n");
  }
}
