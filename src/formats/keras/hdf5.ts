import { Dataset, File, Group } from "jsfive";
import { IdapError } from "../../model/errors.js";
import { sizeOf } from "../../model/types.js";
import { Budget, copyOf } from "../shared/bytes.js";
import { checkWeight, type Weight } from "./weights.js";

const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

export function isHdf5(bytes: Uint8Array): boolean {
  return SIGNATURE.every((b, i) => bytes[i] === b);
}

/**
 * An HDF5 file in memory. The library is plain JavaScript: on damaged files it throws, where HDF5's own code, compiled
 * to WebAssembly, ran for ever on some. Whatever it throws is damage; it is asked for nothing larger than the file
 * can hold.
 */
export class Hdf5 {
  private readonly root: Group;
  private readonly budget: Budget;

  constructor(
    bytes: Uint8Array,
    private readonly file: string,
  ) {
    this.budget = new Budget(file, bytes.length);
    this.root = this.guarded(() => new File(copyOf(bytes).buffer));
  }

  private guarded<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof IdapError) throw error;
      throw new IdapError(
        "E_FORMAT",
        `${this.file} is damaged: its HDF5 structure cannot be read`,
        "Copy or download the file again.",
      );
    }
  }

  private find(path: string): Group | Dataset | null {
    let at: Group | Dataset = this.root;
    for (const part of path.split("/")) {
      if (part === "") continue;
      if (!(at instanceof Group) || !at.keys.includes(part)) return null;
      at = at.get(part);
    }
    return at;
  }

  /** Names in a group; none where there is no such group. */
  keys(path: string): readonly string[] {
    return this.guarded(() => {
      const found = this.find(path);
      return found instanceof Group ? found.keys : [];
    });
  }

  has(path: string): boolean {
    return this.guarded(() => this.find(path) !== null);
  }

  /** A text attribute, or null. */
  text(path: string, name: string): string | null {
    const value = this.guarded(() => this.find(path)?.attrs[name]);
    return typeof value === "string" ? value : null;
  }

  /** A list of names; long ones are split over attributes name0, name1, ... Null where there is none. */
  texts(path: string, name: string): string[] | null {
    return this.guarded(() => {
      const attrs = this.find(path)?.attrs;
      if (!attrs) return null;
      const whole = attrs[name];
      if (whole !== undefined) return listOf(whole);
      if (attrs[`${name}0`] === undefined) return null;
      const parts: string[] = [];
      for (let i = 0; attrs[`${name}${i}`] !== undefined; i++) parts.push(...listOf(attrs[`${name}${i}`]));
      return parts;
    });
  }

  /** A data set, or null where there is none. */
  weight(path: string): Weight | null {
    const what = `${this.file}: weight "${path}"`;
    const weight = this.guarded((): Weight | null => {
      const found = this.find(path);
      if (!(found instanceof Dataset)) return null;
      const shape = [...found.shape];
      const size = sizeOf(shape);
      if (!Number.isSafeInteger(size) || size < 0) throw new IdapError("E_FORMAT", `${what} has an impossible shape`);
      this.budget.charge(4 * size);
      const { value } = found;
      const integers = typeof found.dtype === "string" && /^[<>|]?[iu]/.test(found.dtype);
      return integers
        ? { shape, dtype: "i32", data: Int32Array.from(value, Number) }
        : { shape, dtype: "f32", data: Float32Array.from(value, Number) };
    });
    return weight && checkWeight(weight, what);
  }
}

/** Fixed-length strings are padded with zero bytes. */
function listOf(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value])
    .filter((v) => typeof v === "string")
    .map((v) => v.replace(/\0+$/, ""));
}
