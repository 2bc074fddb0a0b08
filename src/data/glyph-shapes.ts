/** A polyline: x0, y0, x1, y1, ... in a box of about [-1, 1] x [-1, 1], y down. */
export type Stroke = readonly number[];

/** A glyph class: its name and the strokes that draw it. */
export interface GlyphShape {
  readonly name: string;
  readonly strokes: readonly Stroke[];
}

/**
 * Part of a circle of radius `r` round (cx, cy), as a polyline. `from` and `to` count eighths of a turn, clockwise
 * from the right. Built from exact rational points of the circle, so that no engine's sine decides a pixel.
 */
function arc(cx: number, cy: number, r: number, from: number, to: number): Stroke {
  const points: number[] = [];
  const steps = 3; // per eighth of a turn
  for (let i = from * steps; i <= to * steps; i++) {
    const quarter = Math.floor(i / (2 * steps));
    const half = (i - quarter * 2 * steps) / (2 * steps);
    // Tangent half-angle: t in [0, 1] walks a quarter turn (not evenly, which a drawing does not mind).
    const x = (1 - half * half) / (1 + half * half);
    const y = (2 * half) / (1 + half * half);
    const turned = [
      [x, y],
      [-y, x],
      [-x, -y],
      [y, -x],
    ][((quarter % 4) + 4) % 4]!;
    points.push(cx + r * turned[0]!, cy + r * turned[1]!);
  }
  return points;
}

/**
 * The ten classes. Several pairs differ in one stroke only (square and gate, tee and fork, gate and arch),
 * so that a blurred template does not tell them apart.
 */
export const GLYPHS: readonly GlyphShape[] = [
  { name: "ring", strokes: [arc(0, 0, 0.85, 0, 8)] },
  { name: "arch", strokes: [arc(0, -0.1, 0.75, 4, 8), [-0.75, -0.1, -0.75, 0.85], [0.75, -0.1, 0.75, 0.85]] },
  { name: "square", strokes: [[-0.75, -0.75, 0.75, -0.75, 0.75, 0.75, -0.75, 0.75, -0.75, -0.75]] },
  {
    name: "gate",
    strokes: [
      [-0.75, 0.8, -0.75, -0.75, 0.75, -0.75, 0.75, 0.8],
      [-0.75, 0, 0.75, 0],
    ],
  },
  { name: "triangle", strokes: [[0, -0.85, 0.85, 0.7, -0.85, 0.7, 0, -0.85]] },
  {
    name: "tee",
    strokes: [
      [-0.8, -0.8, 0.8, -0.8],
      [0, -0.8, 0, 0.85],
    ],
  },
  {
    name: "fork",
    strokes: [
      [-0.75, -0.85, 0, 0, 0.75, -0.85],
      [0, 0, 0, 0.9],
    ],
  },
  {
    name: "arrow",
    strokes: [
      [0, 0.9, 0, -0.85],
      [-0.6, -0.2, 0, -0.85, 0.6, -0.2],
    ],
  },
  { name: "bolt", strokes: [[0.65, -0.85, -0.6, -0.7, 0.6, 0.7, -0.65, 0.85]] },
  { name: "hook", strokes: [[0.55, -0.9, 0.55, 0.3], arc(0, 0.3, 0.55, 0, 4)] },
];
