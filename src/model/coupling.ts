/**
 * Axis coupling by labels: which indices of which tensors must be cut together.
 *
 * Every index of an axis that some operator mentions is an element of a union-find; the operators' `couple` rules
 * unite elements that live or die as one. A class is an atom; cutting it cuts every slice of every tensor that
 * bears it. Residual additions, shared weights, squeeze-and-excite and flattening need no case of their own.
 */
import { getOp } from "./ops/index.js";
import { invariant } from "./errors.js";
import type { Graph, Node, TensorType } from "./types.js";

/** An axis of a tensor; `axis` is non-negative. */
export interface AxisRef {
  readonly tensor: string;
  readonly axis: number;
}

/**
 * What an operator's `couple` rule sees. An axis that a rule does not mention is frozen by that node.
 * Negative axes count from the end.
 */
export interface Coupling {
  readonly inputTypes: readonly TensorType[];
  readonly outputTypes: readonly TensorType[];
  input(i: number, axis: number): AxisRef;
  output(i: number, axis: number): AxisRef;
  /** These axes have the same extent and index i of one is index i of every other. */
  tie(...axes: AxisRef[]): void;
  /** Index i of `a` is index `map(i)` of `b`, for every i of `a`: repeats, offsets, blocks. */
  tieMap(a: AxisRef, b: AxisRef, map: (i: number) => number): void;
  /** All indices of each block of `blocks` equal runs of `a` live or die as one. */
  block(a: AxisRef, blocks: number): void;
  /** This node does not mind cuts here and relates the axis to nothing else. */
  free(a: AxisRef): void;
  /** No index of this axis may be cut; `reason` completes "cannot be cut because ...". */
  freeze(a: AxisRef, reason: string): void;
}

/** The indices of one axis that bear an atom. */
export interface AtomMember extends AxisRef {
  readonly indices: readonly number[];
}

/** The smallest thing that can be cut: one channel of every tensor it is coupled to. */
export interface Atom {
  /** Position in its group's `atoms`. */
  readonly id: number;
  readonly members: readonly AtomMember[];
  /** Why it cannot be cut, or null. */
  readonly frozen: string | null;
}

/** Axes that are one channel set (or, under concatenation, share parts of one). */
export interface Group {
  /** Name of its first parameter axis, `tensor.axis`: stable as long as the graph's names are. */
  readonly id: string;
  readonly axes: readonly AxisRef[];
  readonly atoms: readonly Atom[];
}

export interface CouplingResult {
  /** Groups with a parameter among their axes and at least one atom that can be cut, in graph order. */
  readonly groups: readonly Group[];
  /** Groups with a parameter among their axes that cannot be cut at all; every atom says why. */
  readonly frozen: readonly Group[];
}

interface LabelledAxis extends AxisRef {
  readonly extent: number;
  /** Its first element. */
  readonly first: number;
}

/** The union-find. Elements are numbered in order of first mention, so results depend on the graph alone. */
class Labels {
  readonly axes: LabelledAxis[] = [];
  private readonly base = new Map<string, number>();
  private readonly parent: number[] = [];
  private readonly reason: (string | undefined)[] = [];
  private readonly axisOf: number[] = [];
  private readonly axisParent: number[] = [];

  constructor(private readonly graph: Graph) {}

  element(a: AxisRef, i: number): number {
    return this.register(a) + i;
  }

  extent(a: AxisRef): number {
    return this.graph.tensors.get(a.tensor)!.type.shape[a.axis]!;
  }

  isRegistered(a: AxisRef): boolean {
    return this.base.has(key(a));
  }

  register(a: AxisRef): number {
    const known = this.base.get(key(a));
    if (known !== undefined) return known;
    const first = this.parent.length;
    const extent = this.extent(a);
    this.base.set(key(a), first);
    for (let i = 0; i < extent; i++) {
      this.parent.push(first + i);
      this.reason.push(undefined);
      this.axisOf.push(this.axes.length);
    }
    this.axisParent.push(this.axes.length);
    this.axes.push({ ...a, extent, first });
    return first;
  }

  unite(x: number, y: number): void {
    const ax = this.axisRoot(this.axisOf[x]!);
    const ay = this.axisRoot(this.axisOf[y]!);
    if (ax !== ay) this.axisParent[Math.max(ax, ay)] = Math.min(ax, ay);
    const rx = this.root(x);
    const ry = this.root(y);
    if (rx === ry) return;
    const low = Math.min(rx, ry);
    const high = Math.max(rx, ry);
    this.parent[high] = low;
    this.reason[low] ??= this.reason[high];
  }

  freeze(a: AxisRef, reason: string): void {
    const first = this.register(a);
    for (let i = 0, n = this.extent(a); i < n; i++) this.reason[this.root(first + i)] ??= reason;
  }

  root(x: number): number {
    let r = x;
    while (this.parent[r] !== r) r = this.parent[r]!;
    while (this.parent[x] !== r) {
      const next = this.parent[x]!;
      this.parent[x] = r;
      x = next;
    }
    return r;
  }

  axisRoot(x: number): number {
    while (this.axisParent[x] !== x) {
      this.axisParent[x] = this.axisParent[this.axisParent[x]!]!;
      x = this.axisParent[x]!;
    }
    return x;
  }

  frozen(x: number): string | null {
    return this.reason[this.root(x)] ?? null;
  }
}

const key = (a: AxisRef): string => `${a.axis}:${a.tensor}`;

/** Runs one node's rule; axes that it did not mention go into `whole` with the reason. */
function coupleNode(graph: Graph, node: Node, labels: Labels, whole: Map<string, [AxisRef, string]>): void {
  const typeOf = (name: string): TensorType => graph.tensors.get(name)!.type;
  const inputTypes = node.inputs.map(typeOf);
  const outputTypes = node.outputs.map(typeOf);
  const mentioned = new Set<string>();
  const at = (tensor: string, type: TensorType, axis: number): AxisRef => {
    const a = axis < 0 ? axis + type.shape.length : axis;
    invariant(a >= 0 && a < type.shape.length, `${node.op} couples axis ${axis} of [${type.shape}]`);
    return { tensor, axis: a };
  };
  const mention = (a: AxisRef): void => void mentioned.add(key(a));
  const because = (reason: string): string => `${node.name} (${node.op}): ${reason}`;

  const coupling: Coupling = {
    inputTypes,
    outputTypes,
    input: (i, axis) => at(node.inputs[i]!, inputTypes[i]!, axis),
    output: (i, axis) => at(node.outputs[i]!, outputTypes[i]!, axis),
    tie(...axes) {
      const [first] = axes;
      if (!first) return;
      const n = labels.extent(first);
      for (const other of axes) {
        mention(other);
        const m = labels.extent(other);
        invariant(m === n, `${node.op} "${node.name}" ties axes of extent ${n} and ${m}`);
        for (let i = 0; i < n; i++) labels.unite(labels.element(first, i), labels.element(other, i));
      }
    },
    tieMap(a, b, map) {
      mention(a);
      mention(b);
      const nb = labels.extent(b);
      for (let i = 0, n = labels.extent(a); i < n; i++) {
        const j = map(i);
        invariant(j >= 0 && j < nb, `${node.op} "${node.name}" maps index ${i} to ${j} of ${nb}`);
        labels.unite(labels.element(a, i), labels.element(b, j));
      }
    },
    block(a, blocks) {
      mention(a);
      const n = labels.extent(a);
      invariant(n % blocks === 0, `${node.op} "${node.name}" cuts ${n} into ${blocks} blocks`);
      const length = n / blocks;
      for (let i = 0; i < n; i++) labels.unite(labels.element(a, i), labels.element(a, i - (i % length)));
    },
    free: mention,
    freeze(a, reason) {
      mention(a);
      labels.freeze(a, because(reason));
    },
  };
  getOp(node.op).couple?.(coupling, node.attrs);

  for (const name of [...node.inputs, ...node.outputs]) {
    typeOf(name).shape.forEach((_, axis) => {
      const a = { tensor: name, axis };
      // Kept as one entry, not as elements: a big spatial axis costs nothing unless some rule counts its indices.
      if (!mentioned.has(key(a)) && !whole.has(key(a))) whole.set(key(a), [a, because("it needs this axis whole")]);
    });
  }
}

/** Groups of axes that must be cut together, with everything that cannot be cut and why. */
export function analyzeCoupling(graph: Graph): CouplingResult {
  const labels = new Labels(graph);
  const whole = new Map<string, [AxisRef, string]>();
  for (const node of graph.nodes) coupleNode(graph, node, labels, whole);

  for (const [a, reason] of whole.values()) if (labels.isRegistered(a)) labels.freeze(a, reason);
  const boundary: [readonly { tensor: string }[], string][] = [
    [graph.inputs, "it is an input of the model"],
    [graph.outputs, "it is an output of the model"],
  ];
  for (const [ports, reason] of boundary)
    for (const { tensor } of ports)
      graph.tensors.get(tensor)!.type.shape.forEach((_, axis) => {
        if (labels.isRegistered({ tensor, axis })) labels.freeze({ tensor, axis }, reason);
      });
  for (const a of labels.axes)
    if (graph.tensors.get(a.tensor)!.type.batchAxis === a.axis) labels.freeze(a, "it is the batch axis");

  return collect(graph, labels);
}

function collect(graph: Graph, labels: Labels): CouplingResult {
  const axesOf = new Map<number, LabelledAxis[]>();
  labels.axes.forEach((a, i) => {
    const root = labels.axisRoot(i);
    const list = axesOf.get(root);
    if (list) list.push(a);
    else axesOf.set(root, [a]);
  });

  const groups: Group[] = [];
  const frozen: Group[] = [];
  for (const axes of axesOf.values()) {
    const parameter = axes.find((a) => graph.tensors.get(a.tensor)!.data !== undefined);
    if (!parameter) continue;
    const atoms = atomsOf(axes, labels);
    const group = {
      id: `${parameter.tensor}.${parameter.axis}`,
      axes: axes.map(({ tensor, axis }) => ({ tensor, axis })),
      atoms,
    };
    (atoms.some((a) => a.frozen === null) ? groups : frozen).push(group);
  }
  return { groups, frozen };
}

function atomsOf(axes: readonly LabelledAxis[], labels: Labels): Atom[] {
  const members = new Map<number, Map<string, { tensor: string; axis: number; indices: number[] }>>();
  for (const a of axes) {
    for (let i = 0; i < a.extent; i++) {
      const root = labels.root(a.first + i);
      let atom = members.get(root);
      if (!atom) members.set(root, (atom = new Map()));
      const member = atom.get(key(a));
      if (member) member.indices.push(i);
      else atom.set(key(a), { tensor: a.tensor, axis: a.axis, indices: [i] });
    }
  }
  return [...members].map(([root, m], id) => ({ id, members: [...m.values()], frozen: labels.frozen(root) }));
}
