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
export const VARIANT_ORDER: readonly Variant[] = ["relaxed", "simd", "scalar"];

export function glueFiles(
  name: string,
  inputs: readonly LoweredPort[],
  outputs: readonly LoweredPort[],
  variants: readonly Variant[],
  weightsInside = false,
): Map<string, string> {
  const order = VARIANT_ORDER.filter((v) => variants.includes(v));
  const { set, narrow } = conversions(inputs, outputs);
  const floats = [...inputs, ...outputs].every((p) => p.dtype === "f32");
  const array = floats ? "Float32Array" : `p.dtype=="f32"?Float32Array:Int32Array`;
  // What a package without a file of weights leaves out.
  const apart = (text: string): string => (weightsInside ? "" : text);
  const needs = order.includes("scalar") ? "" : " (needs WebAssembly SIMD)";
  const glue = `const I=${JSON.stringify(facts(inputs))},O=${JSON.stringify(facts(outputs))};
export const make=(read${apart(",weights")})=>async({variant,warmUp}={})=>{
${apart("let w;\n")}for(const v of ${JSON.stringify(order)}){
if(variant&&variant!==v)continue;
${apart('(w??=weights("weights.bin")).catch(()=>0);\n')}const b=await read(\`model.\${v}.wasm\`);
if(!WebAssembly.validate(b))continue;
const{instance:{exports:e}}=await WebAssembly.instantiate(b),m=e.memory.buffer${apart(`,n=e.weights_bytes(),g=await(await w)(new Uint8Array(m,e.weights_ptr(),n));
if(g!==n)throw Error(\`weights.bin has \${g} bytes, needs \${n}\`);
w=null`)};
e.setup();
if(!e.selftest())continue;
const view=(k,p,i)=>new(${array})(m,e[k+"_ptr"](i),e[k+"_bytes"](i)/4),x=I.map((p,i)=>view("input",p,i)),o=O.map((p,i)=>view("output",p,i)),y={};
O.forEach((p,i)=>y[p.name]={data:o[i],shape:p.shape,dtype:p.dtype});
if(warmUp)e.run(),e.reset();
return{variant:v,inputs:I,outputs:O,exports:e,reset:e.reset,run(r){
for(let i=0;i<I.length;i++){const k=I[i].name,d=r[k]?.data??r[k];
if(d?.length!==x[i].length)throw Error(\`input "\${k}" needs \${x[i].length} values (\${I[i].shape.join("x")}), got \${d?.length}\`);
x[i].set(${set})}
e.run();
${narrow}return y}}}
throw Error("this engine runs no variant of this package${needs}")}
`;
  // `weights` asks at once and gives a function that fills memory and returns how many bytes there were. In browsers the
  // weights come beside the module and go from the stream into memory: they are most of a start, and hold them twice no
  // more. A reader that brings no buffer of its own (older browsers) ignores the one it is given.
  const index = `import{make}from"./glue.js";
const get=async f=>{const r=await fetch(new URL(f,import.meta.url));if(r.ok)return r;throw Error(f+": HTTP "+r.status)};
export const load=make(async f=>(await get(f)).arrayBuffer()${apart(`,async f=>{const{body}=await get(f);return async m=>{
let r,b=new ArrayBuffer(1<<20),n=0;
try{r=body.getReader({mode:"byob"})}catch{r=body.getReader()}
for(;;){const{done,value:v}=await r.read(new Uint8Array(b));if(done)return n;n+=v.length;n>m.length||m.set(v,n-v.length);b=v.buffer}}}`)});
`;
  const node = `import{${apart("open,")}readFile}from"node:fs/promises";
import{make}from"./glue.js";
const at=f=>new URL(f,import.meta.url);
export const load=make(f=>readFile(at(f))${apart(`,async f=>async m=>{const h=await open(at(f)),{size:s}=await h.stat();
for(let n=0,k=s==m.length;k&&n<s;n+=k)k=(await h.read(m,n,s-n,n)).bytesRead;
await h.close();return s}`)});
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

/** Files whose bytes count as glue: what a page loads to run the module. Node's own entry is shorter than a page's. */
export const GLUE_FILES: readonly string[] = ["glue.js", "index.js"];

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

/**
 * Loads the module and its weights. \`variant\` insists on one. \`warmUp\` runs the network once, so that a first run()
 * that comes later finds compiled code; the first answer comes sooner without it.
 */
export declare function load(options?: { variant?: Variant; warmUp?: boolean }): Promise<Model>;
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
