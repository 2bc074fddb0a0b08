// Networks of tokens: encoders in the sizes that fit a page or a small device, with weights from a seed.
//
// They are built as exports spell them out: projections, reshapes, transposes, two products of matrices and a softmax.
// What an engine makes of that is its own affair; ours gets the canonical graph, as `readModel` gives it.
import { Layers } from "./layers.mjs";

/** Tokens that the tables of embeddings know. */
export const VOCABULARY = 1000;

/** How much of a block is left where it is pruned: heads in turn, and the width of the hidden layer. */
const PRUNED = { heads: [2, 3, 1, 2, 3, 2], hidden: [0.41, 0.47, 0.53, 0.37, 0.43, 0.49] };

const whole = { heads: (heads) => heads, hidden: (width) => width };
const pruned = {
  heads: (heads, block) => Math.min(heads, PRUNED.heads[block % 6]),
  /** Odd, as pruners leave it. */
  hidden: (width, block) => 2 * Math.floor((width * PRUNED.hidden[block % 6]) / 2) + 1,
};

class Tokens extends Layers {
  constructor(library, name, { width, heads, hidden, keep }) {
    super(library, name);
    Object.assign(this, { width, heads, hidden, keep, head: width / heads });
  }

  reshape(x, ...rest) {
    return this.op("reshape", [x], { shape: [-1, ...rest] });
  }

  scalar(value) {
    return this.builder.constant(`c${this.count++}`, "f32", [], Float32Array.of(value));
  }

  project(x, width) {
    const depth = this.shape(x).at(-1);
    return this.op("dense", [x, this.constant([depth, width], Math.sqrt(1 / depth)), this.constant([width], 0.1)]);
  }

  norm(x) {
    const [axis, width] = [this.shape(x).length - 1, this.shape(x).at(-1)];
    const gamma = Float32Array.from({ length: width }, () => 1 + 0.1 * this.random.normal());
    const inputs = [x, this.builder.constant(`c${this.count++}`, "f32", [width], gamma), this.constant([width], 0.1)];
    return this.op("layer_norm", inputs, { axis, epsilon: 1e-5 });
  }

  /** Ids [1, tokens] to embeddings with positions. */
  embed(tokens) {
    const ids = this.builder.input("ids", { dtype: "i32", shape: [1, tokens], batchAxis: 0 });
    const words = this.op("gather", [this.constant([VOCABULARY, this.width], 1), ids], { axis: 0 });
    return this.op("add", [words, this.constant([tokens, this.width], 0.3)]);
  }

  /** An image as tokens: its pixels of channels in a row, with positions. */
  flatten(x) {
    const [, h, w, c] = this.shape(x);
    return this.op("add", [this.reshape(x, h * w, c), this.constant([h * w, c], 0.3)]);
  }

  attention(x, block) {
    const heads = this.keep.heads(this.heads, block);
    const tokens = this.shape(x)[1];
    const plain = { transposeA: false, transposeB: false };
    const split = () => {
      const y = this.reshape(this.project(x, heads * this.head), tokens, heads, this.head);
      return this.op("transpose", [y], { perm: [0, 2, 1, 3] });
    };
    const [q, k, v] = [split(), split(), split()];
    const products = this.op("matmul", [q, k], { ...plain, transposeB: true });
    const scaled = this.op("mul", [products, this.scalar(1 / Math.sqrt(this.head))]);
    const y = this.op("matmul", [this.op("softmax", [scaled], { axis: 3 }), v], plain);
    const joined = this.reshape(this.op("transpose", [y], { perm: [0, 2, 1, 3] }), tokens, heads * this.head);
    return this.project(joined, this.width);
  }

  feedForward(x, block) {
    const hidden = this.project(x, this.keep.hidden(this.hidden, block));
    return this.project(this.op("gelu", [hidden], { approximate: "none" }), this.width);
  }

  /** Normalised behind the sums, as BERT has it. */
  encodeAfter(x, blocks) {
    for (let i = 0; i < blocks; i++) {
      x = this.norm(this.op("add", [this.attention(x, i), x]));
      x = this.norm(this.op("add", [this.feedForward(x, i), x]));
    }
    return x;
  }

  /** Normalised in front of each branch, as vision transformers have it. */
  encode(x, blocks) {
    for (let i = 0; i < blocks; i++) {
      x = this.op("add", [this.attention(this.norm(x), i), x]);
      x = this.op("add", [this.feedForward(this.norm(x), i), x]);
    }
    return this.norm(x);
  }

  finish(y) {
    this.builder.output(y, "y");
    return this.builder.build();
  }

  /** Mean over the tokens and a dense layer: logits. */
  classifyTokens(x, classes) {
    return this.finish(this.project(this.op("reduce_mean", [x], { axes: [1], keepDims: false }), classes));
  }
}

const distilbert = (keep) => (library) => {
  const net = new Tokens(library, "distilbert", { width: 256, heads: 4, hidden: 1024, keep });
  return net.finish(net.encodeAfter(net.norm(net.embed(128)), 6));
};

const intent = (keep) => (library) => {
  const net = new Tokens(library, "intent", { width: 128, heads: 4, hidden: 512, keep });
  return net.classifyTokens(net.encodeAfter(net.norm(net.embed(24)), 4), 7);
};

const vit = (keep) => (library) => {
  const net = new Tokens(library, "vit", { width: 96, heads: 4, hidden: 384, keep });
  const w = net.constant([4, 4, 1, 96], 0.25);
  const window = { strides: [4, 4], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 };
  const patches = net.op("conv2d", [net.input(28, 28, 1), w, net.constant([96], 0.1)], window);
  return net.classifyTokens(net.encode(net.flatten(patches), 6), 10);
};

const hybrid = (keep) => (library) => {
  const net = new Tokens(library, "hybrid", { width: 128, heads: 4, hidden: 512, keep });
  let x = net.conv(net.input(32, 32, 3), 32, 3, 1, "relu");
  for (const channels of [64, 128]) x = net.conv(x, channels, 3, 2, "relu");
  return net.classifyTokens(net.encode(net.flatten(x), 4), 10);
};

/** By the name that `--networks` takes, in the order of the tables. */
export const tokenNetworks = {
  distilbert: { title: "encoder 6 x 256, 128 tokens", build: distilbert(whole) },
  intent: { title: "intent classifier 4 x 128, 24 tokens", build: intent(whole) },
  vit: { title: "ViT 6 x 96, 49 patches", build: vit(whole) },
  hybrid: { title: "convolutions and 4 x 128, 64 tokens", build: hybrid(whole) },
  "distilbert-pruned": { title: "encoder, pruned", pruned: true, build: distilbert(pruned) },
  "intent-pruned": { title: "intent classifier, pruned", pruned: true, build: intent(pruned) },
  "vit-pruned": { title: "ViT, pruned", pruned: true, build: vit(pruned) },
  "hybrid-pruned": { title: "convolutions and tokens, pruned", pruned: true, build: hybrid(pruned) },
};
