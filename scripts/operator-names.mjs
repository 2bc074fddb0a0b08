// What the formats call the operators of the IR, for docs/operators.md. Spellings are normalised (see `spelling`), so
// that CONV_2D, Conv2D and Conv2d are one entry; an operator's own name need not be listed. A name may stand for several
// operators: what a file means by it depends on its operands.

/** `_FusedMatMul`, `ops.Absolute`, `BatchMatMulV2` and `TOPK_V2` → fusedmatmul, absolute, batchmatmul, topk. */
export function spelling(name) {
  return name
    .replace(/^ops\./, "")
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "")
    .replace(/v\d+$/, "");
}

/** Spellings that are one operator in ONNX and another elsewhere: reductions or arithmetic. */
export const DIFFERING = {
  max: { onnx: "max", others: "reduce_max" },
  mean: { onnx: null, others: "reduce_mean" },
  min: { onnx: "min", others: "reduce_min" },
  sum: { onnx: "add", others: "reduce_sum" },
};

export const SOURCE_NAMES = {
  abs: ["absolute"],
  add: ["biasadd", "addn", "qlinearadd"],
  arg_reduce: ["argmax", "argmin"],
  avg_pool2d: ["averagepool", "averagepool2d", "avgpool", "averagepooling1d", "averagepooling2d", "qlinearaveragepool"],
  batch_norm: ["batchnormalization", "fusedbatchnorm"],
  broadcast_to: ["expand"],
  cast: ["castlike"],
  clip: ["clipbyvalue", "relu0to1", "relun1to1", "minimum", "maximum"],
  concat: ["concatenate", "concatenation", "pack", "qlinearconcat"],
  conv2d: [
    "conv",
    "conv1d",
    "convolution2d",
    "fusedconv2d",
    "convinteger",
    "qlinearconv",
    "separableconv1d",
    "separableconv2d",
  ],
  conv_transpose2d: ["convtranspose", "transposeconv", "conv1dtranspose", "conv2dtranspose", "conv2dbackpropinput"],
  dense: [
    "fullyconnected",
    "gemm",
    "matmul",
    "fusedmatmul",
    "matmulinteger",
    "qlinearmatmul",
    "qgemm",
    "einsumdense",
    "timedistributed",
  ],
  depthwise_conv2d: [
    "conv",
    "depthwiseconv1d",
    "depthwiseconv2dnative",
    "fuseddepthwiseconv2dnative",
    "separableconv1d",
    "separableconv2d",
  ],
  dequantize: ["dequantizelinear"],
  div: ["realdiv", "divide", "truedivide", "divnonan"],
  fake_quantize: ["fakequant", "fakequantwithminmaxvars"],
  floor_mod: ["mod"],
  gather: ["embedding", "embeddinglookup", "gathernd", "gatherelements"],
  greater_equal: ["greaterorequal"],
  group_norm: ["groupnormalization", "instancenormalization"],
  gru: ["bidirectional"],
  layer_norm: ["layernormalization"],
  leaky_relu: ["qlinearleakyrelu"],
  less_equal: ["lessorequal"],
  logical_and: ["and"],
  logical_not: ["not"],
  logical_or: ["or"],
  logical_xor: ["xor"],
  lstm: ["unidirectionalsequencelstm", "bidirectionalsequencelstm", "bidirectional"],
  matmul: ["batchmatmul", "fusedmatmul", "dot"],
  max: ["maximum"],
  max_pool2d: ["maxpool", "maxpooling1d", "maxpooling2d"],
  min: ["minimum"],
  mod_trunc: ["mod"],
  mul: ["multiply", "qlinearmul", "rescaling"],
  neg: ["negative"],
  pad: ["mirrorpad", "zeropadding1d", "zeropadding2d"],
  pow: ["power"],
  quantize: ["quantizelinear", "dynamicquantizelinear"],
  reciprocal: ["inv"],
  reduce_max: ["globalmaxpool", "globalmaxpooling1d", "globalmaxpooling2d", "reduceany", "any"],
  reduce_mean: ["globalaveragepool", "qlinearglobalaveragepool", "globalaveragepooling1d", "globalaveragepooling2d"],
  reduce_min: ["reduceall", "all"],
  reduce_prod: ["prod"],
  reshape: ["flatten", "squeeze", "unsqueeze", "expanddims"],
  resize: ["upsample", "resizebilinear", "resizenearestneighbor", "upsampling1d", "upsampling2d"],
  rnn: ["simplernn", "unidirectionalsequencernn", "bidirectionalsequencernn", "bidirectional"],
  round: ["rint"],
  select: ["where"],
  sigmoid: ["logistic", "qlinearsigmoid"],
  silu: ["swish", "mklswish"],
  slice: ["stridedslice", "split", "splitv", "unpack", "cropping1d", "cropping2d", "reverse"],
  softmax: ["qlinearsoftmax"],
  sub: ["subtract"],
  tile: ["repeatvector"],
  top_k: ["topk"],
  transpose: ["permute"],
};
