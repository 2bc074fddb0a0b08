import { IdapError } from "../../model/errors.js";
import { AUDIO_DEFAULTS, type AudioFeatures } from "./features.js";

/** Words that an option may be, for those that are no numbers. */
const WORDS: { readonly [K in keyof AudioFeatures]?: readonly string[] } = {
  kind: ["mfcc", "log-mel", "wave"],
  scale: ["htk", "slaney"],
  slopes: ["mel", "hz"],
  norm: ["none", "area"],
  dct: ["htk", "ortho"],
};

const camel = (name: string): string => name.replace(/-([a-z])/g, (_, c: string) => c.toUpperCase());
const kebab = (name: string): string => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/**
 * Parses the value of `--features`: a kind and any of the options of `AudioFeatures`, for example
 * `log-mel,bands=64,window-ms=25,hop-ms=10`.
 */
export function parseFeatures(text: string): Partial<AudioFeatures> {
  const [kind, ...rest] = text.split(",").map((word) => word.trim());
  const features: Record<string, string | number> = {};
  for (const word of [`kind=${kind}`, ...rest]) {
    const [name, value = ""] = word.split("=") as [string, string?];
    const key = camel(name) as keyof AudioFeatures;
    if (!Object.hasOwn(AUDIO_DEFAULTS, key)) {
      throw new IdapError(
        "E_OPTION",
        `--features has no option ${name}`,
        `There are ${Object.keys(AUDIO_DEFAULTS)
          .filter((k) => k !== "kind")
          .map(kebab)
          .join(", ")}.`,
      );
    }
    const words = WORDS[key];
    const number = value === "" ? NaN : Number(value);
    if (
      words ? !words.includes(value) : !Number.isFinite(number) || (key === "power" && number !== 1 && number !== 2)
    ) {
      const need = words ? words.join(", ") : key === "power" ? "1 or 2" : "a number";
      throw new IdapError(
        "E_OPTION",
        `--features: ${kebab(key)} must be ${words ? "one of " : ""}${need}, got "${value}"`,
      );
    }
    features[key] = words ? value : number;
  }
  return features;
}
