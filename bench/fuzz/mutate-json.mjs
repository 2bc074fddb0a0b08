// Damages JSON: values dropped, of other types, huge, deep; names that point elsewhere.

/** Marks a place whose text `JSON.stringify` cannot make. */
const RAW = "\u0001raw\u0001";

const DEPTH = 20_000;

const OTHERS = [
  null,
  true,
  false,
  -1,
  0,
  1,
  2,
  3,
  1.5,
  -0.5,
  255,
  65536,
  2 ** 20,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e19,
  1e300,
  "",
  "x",
  "-1",
  "1e9",
  "9999999999",
  "__proto__",
  "constructor",
  "valueOf",
  [],
  [[]],
  {},
  [null],
  [0],
  [-1],
  [1, 2, 3],
  [2 ** 31, 2 ** 31],
  { a: 1 },
  { __proto__: null },
  [["x", 0, 0]],
  [1e9, 1e9, 1e9],
  Array.from({ length: 64 }, () => 1),
];

const rawTexts = [
  "[".repeat(DEPTH) + "]".repeat(DEPTH),
  '{"a":'.repeat(DEPTH) + "0" + "}".repeat(DEPTH),
  '{"class_name":"Sequential","config":{"name":"m","layers":['.repeat(DEPTH) + "]}}".repeat(DEPTH),
  "1e999",
  "-1e999",
  '{"__proto__":{"name":"x"}}',
  `"${"x".repeat(100_000)}"`,
];

/** All places in a document: [parent, key]. */
function placesOf(root) {
  const places = [];
  const stack = [root];
  while (stack.length > 0) {
    const at = stack.pop();
    for (const key of Object.keys(at)) {
      places.push([at, key]);
      if (typeof at[key] === "object" && at[key] !== null) stack.push(at[key]);
    }
  }
  return places;
}

function moveWithin(list, dice) {
  const from = dice.below(list.length);
  const [item] = list.splice(from, 1);
  list.splice(dice.below(list.length + 1), 0, item);
}

/** Returns the damaged text and what was done, or null where the text is no JSON. */
export function damageJson(bytes, dice) {
  const text = new TextDecoder().decode(bytes);
  const root = JSON.parse(text);
  if (typeof root !== "object" || root === null) return null;
  const { what, raw } = damageValue(root, dice);
  let out = JSON.stringify(root);
  if (raw !== undefined) out = out.replace(JSON.stringify(RAW), () => raw);
  return { bytes: new TextEncoder().encode(out), what };
}

/** Damages one place of a document. Returns what was done and the text that stands for RAW, if any. */
export function damageValue(root, dice) {
  const places = placesOf(root);
  if (places.length === 0) return { what: "nothing" };
  const [parent, key] = dice.pick(places);
  const value = parent[key];
  const where = `"${key}"`;
  switch (dice.below(10)) {
    case 0:
    case 1:
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else delete parent[key];
      return { what: `${where} dropped` };
    case 2:
    case 3: {
      parent[key] = structuredClone(dice.pick(OTHERS));
      return { what: `${where} is ${JSON.stringify(parent[key]).slice(0, 40)}` };
    }
    case 4: {
      // Numbers: extents, strides, axes; else another value of the document.
      const numbers = places.filter(([p, k]) => typeof p[k] === "number");
      if (numbers.length === 0) break;
      const [p, k] = dice.pick(numbers);
      p[k] = dice.pick([0, -1, p[k] + 1, p[k] * 1000, p[k] / 3, 2 ** 20, 2 ** 31, 2 ** 40, 1e18]);
      return { what: `number "${k}" is ${p[k]}` };
    }
    case 5:
    case 6: {
      // A name becomes another name: tensors of nobody, graphs with circles.
      const texts = places.filter(([p, k]) => typeof p[k] === "string");
      if (texts.length === 0) break;
      const [p, k] = dice.pick(texts);
      const [p2, k2] = dice.pick(texts);
      const was = p[k];
      p[k] = p2[k2];
      return { what: `text "${k}": "${String(was).slice(0, 30)}" is "${String(p[k]).slice(0, 30)}"` };
    }
    case 7: {
      const lists = places.map(([p, k]) => p[k]).filter((v) => Array.isArray(v) && v.length > 0);
      if (lists.length === 0) break;
      const list = dice.pick(lists);
      if (dice.chance(0.5)) moveWithin(list, dice);
      else list.splice(dice.below(list.length + 1), 0, structuredClone(dice.pick(list)));
      return { what: "list reordered or longer" };
    }
    case 8: {
      const raw = dice.pick(rawTexts);
      parent[key] = RAW;
      return { what: `${where} is ${raw.slice(0, 12)}...`, raw };
    }
    default: {
      const [p2, k2] = dice.pick(places);
      parent[key] = structuredClone(p2[k2]);
      return { what: `${where} is what "${k2}" is` };
    }
  }
  parent[key] = [value];
  return { what: `${where} in a list` };
}
