import type { Rule } from "eslint";

export const layers: Readonly<Record<string, readonly string[]>>;
export function layerOf(file: string, srcRoot: string): string | null;
export function violation(from: string, to: string, srcRoot: string): string | null;
export const direction: Rule.RuleModule;
declare const plugin: { rules: { direction: Rule.RuleModule } };
export default plugin;
