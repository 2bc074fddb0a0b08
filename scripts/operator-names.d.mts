export function spelling(name: string): string;
export const SOURCE_NAMES: Readonly<Record<string, readonly string[]>>;
export const DIFFERING: Readonly<Record<string, { readonly onnx: string | null; readonly others: string }>>;
