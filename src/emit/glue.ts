/**
 * The JavaScript of a package, written by hand in its final, compact form: what a page has to load beside the module.
 *
 *   glue.js   the common part: takes the first variant that validates and passes its self-test
 *   index.js  for browsers and bundlers (fetch); node.js  for Node (fs); worker.js  the same off the main thread
 */
import type { LoweredPort } from "./steps.js";
import type { Dtype } from "../model/types.js";
import type { Variant } from "../kernels/tiles.js";

interface PortFact {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: Dtype;
}

const facts = (ports: readonly LoweredPort[]): PortFact[] =>
  ports.map(({ name, shape, dtype }) => ({ name, shape, dtype }));

/** Arrays of the interface, by dtype. In memory every element is a word: f32, or i32 for all the others. */
const ARRAYS: Readonly<Record<Dtype, string>> = {
  f32: "Float32Array",
  i32: "Int32Array",
  i8: "Int8Array",
  u8: "Uint8Array",
  bool: "Uint8Array",
  i64: "BigInt64Array",
};

/** What a network's dtypes need beyond plain views of memory. */
function conversions(inputs: readonly LoweredPort[], outputs: readonly LoweredPort[]) {
  const wide = inputs.some((p) => p.dtype === "i64");
  const narrow = outputs.flatMap(({ name, dtype }, i) =>
    dtype === "f32" || dtype === "i32"
      ? []
      : [`y[${JSON.stringify(name)}].data=${ARRAYS[dtype]}.from(o[${i}]${dtype === "i64" ? ",BigInt" : ""});\n`],
  );
  return { set: wide ? `typeof d[0]=="bigint"?Array.from(d,Number):d` : "d", narrow: narrow.join("") };
}

/** Best variant first. */
export const VARIANT_ORDER: readonly Variant[] = ["relaxed", "simd"];

export function glueFiles(
  name: string,
  inputs: readonly LoweredPort[],
  outputs: readonly LoweredPort[],
  variants: readonly Variant[],
): Map<string, string> {
  const order = VARIANT_ORDER.filter((v) => variants.includes(v));
  const { set, narrow } = conversions(inputs, outputs);
  const floats = [...inputs, ...outputs].every((p) => p.dtype === "f32");
  const array = floats ? "Float32Array" : `p.dtype=="f32"?Float32Array:Int32Array`;
  const glue = `const I=${JSON.stringify(facts(inputs))},O=${JSON.stringify(facts(outputs))};
export const make=read=>async({variant}={})=>{
for(const v of ${JSON.stringify(order)}){
if(variant&&variant!==v)continue;
const b=await read(\`model.\${v}.wasm\`);
if(!WebAssembly.validate(b))continue;
const{instance:{exports:e}}=await WebAssembly.instantiate(b),w=await read("weights.bin"),n=e.weights_bytes();
if(w.length!==n)throw Error(\`weights.bin has \${w.length} bytes, needs \${n}\`);
new Uint8Array(e.memory.buffer,e.weights_ptr(),n).set(w);
e.setup();
if(!e.selftest())continue;
const view=(k,p,i)=>new(${array})(e.memory.buffer,e[k+"_ptr"](i),e[k+"_bytes"](i)/4),x=I.map((p,i)=>view("input",p,i)),o=O.map((p,i)=>view("output",p,i)),y={};
O.forEach((p,i)=>y[p.name]={data:o[i],shape:p.shape,dtype:p.dtype});
e.run();
return{variant:v,inputs:I,outputs:O,exports:e,reset:e.reset,run(r){
for(let i=0;i<I.length;i++){const k=I[i].name,d=r[k]?.data??r[k];
if(d?.length!==x[i].length)throw Error(\`input "\${k}" needs \${x[i].length} values (\${I[i].shape.join("x")}), got \${d?.length}\`);
x[i].set(${set})}
e.run();
${narrow}return y}}}
throw Error("this engine runs no variant of this package (needs WebAssembly SIMD)")}
`;
  const index = `import{make}from"./glue.js";
export const load=make(async f=>{const r=await fetch(new URL(f,import.meta.url));if(!r.ok)throw Error(f+": HTTP "+r.status);return new Uint8Array(await r.arrayBuffer())});
`;
  const node = `import{readFile}from"node:fs/promises";
import{make}from"./glue.js";
export const load=make(f=>readFile(new URL(f,import.meta.url)));
`;
  // Messages: { id, inputs } in, { id, outputs } or { id, error } out; outputs are copies, their memory is transferred.
  // The handler is set before anything is awaited: a browser drops messages that arrive while a worker has none.
  const worker = `const N=globalThis.process?.versions?.node,m=import(N?"./node.js":"./index.js").then(g=>g.load());
const on=p=>async({id,inputs})=>{try{const o={},t=[];for(const[k,v]of Object.entries((await m).run(inputs))){const data=v.data.slice();t.push(data.buffer);o[k]={...v,data}}p.postMessage({id,outputs:o},t)}catch(e){p.postMessage({id,error:e.message})}};
if(N)import("node:worker_threads").then(({parentPort:p})=>p.on("message",on(p)));
else onmessage=e=>on(globalThis)(e.data);
`;
  return new Map([
    ["glue.js", glue],
    ["index.js", index],
    ["node.js", node],
    ["worker.js", worker],
    ["index.d.ts", declarations(name, inputs, outputs, order)],
    ["package.json", manifest(name)],
  ]);
}

/** Files whose bytes count as glue: what is loaded to run the module. */
export const GLUE_FILES: readonly string[] = ["glue.js", "index.js", "node.js"];

function declarations(
  name: string,
  inputs: readonly LoweredPort[],
  outputs: readonly LoweredPort[],
  variants: readonly Variant[],
): string {
  const key = (port: LoweredPort): string => JSON.stringify(port.name);
  const doc = (port: LoweredPort): string =>
    `  /** ${port.dtype} [${port.shape.join(", ")}], row-major: ${port.shape.reduce((n, d) => n * d, 1)} values. */`;
  const big = inputs.some((p) => p.dtype === "i64");
  const values = big ? "ArrayLike<number> | BigInt64Array" : "ArrayLike<number>";
  return `/** ${name.replaceAll("*/", "* /")}: a network compiled to WebAssembly by idap. */

export interface Output<D extends string, A> {
  /** Valid until the next run(): copy it to keep it. f32 and i32 are views into the module's memory. */
  readonly data: A;
  readonly shape: readonly number[];
  readonly dtype: D;
}

type Values = ${values} | { readonly data: ${values} };

export interface Inputs {
${inputs.map((p) => `${doc(p)}\n  readonly ${key(p)}: Values;`).join("\n")}
}

export interface Outputs {
${outputs.map((p) => `${doc(p)}\n  readonly ${key(p)}: Output<${JSON.stringify(p.dtype)}, ${ARRAYS[p.dtype]}>;`).join("\n")}
}

export type Variant = ${variants.map((v) => JSON.stringify(v)).join(" | ")};

interface Port {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
}

export interface Model {
  /** The module that was chosen: the first that this engine validates and that passes its self-test. */
  readonly variant: Variant;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** The module's own exports. */
  readonly exports: WebAssembly.Exports;
  /** Forgets everything but the weights. */
  reset(): void;
  /** Copies the inputs in, runs, and returns views of the outputs: the same objects on every call. */
  run(inputs: Inputs): Outputs;
}

/** Loads the module and its weights. \`variant\` insists on one. */
export declare function load(options?: { variant?: Variant }): Promise<Model>;
`;
}

function manifest(name: string): string {
  const entry = { types: "./index.d.ts", node: "./node.js", default: "./index.js" };
  return `${JSON.stringify(
    {
      name: packageName(name),
      version: "0.0.0",
      type: "module",
      sideEffects: false,
      types: "./index.d.ts",
      exports: { ".": entry, "./worker": "./worker.js", "./*": "./*" },
    },
    null,
    2,
  )}\n`;
}

/** A valid npm package name for a model's name. */
export function packageName(name: string): string {
  const clean = name
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+|[._-]+$/g, "");
  return clean === "" ? "model" : clean;
}
