/**
 * The parts of the TFLite schema that the reader needs: ids of fields in their tables, and enumerations.
 * Facts from LiteRT's `schema.fbs` (Apache-2.0), https://github.com/google-ai-edge/LiteRT.
 */
export const F = {
  Model: { version: 0, operatorCodes: 1, subgraphs: 2, description: 3, buffers: 4 },
  OperatorCode: { deprecatedBuiltinCode: 0, customCode: 1, version: 2, builtinCode: 3 },
  SubGraph: { tensors: 0, inputs: 1, outputs: 2, operators: 3, name: 4 },
  Tensor: { shape: 0, type: 1, buffer: 2, name: 3, quantization: 4, isVariable: 5, sparsity: 6, shapeSignature: 7 },
  Quantization: { scale: 2, zeroPoint: 3, axis: 6 },
  Buffer: { data: 0, offset: 1, size: 2 },
  Operator: { opcodeIndex: 0, inputs: 1, outputs: 2, builtinOptionsType: 3, builtinOptions: 4 },
  Conv2D: { padding: 0, strideW: 1, strideH: 2, activation: 3, dilationW: 4, dilationH: 5 },
  DepthwiseConv2D: { padding: 0, strideW: 1, strideH: 2, multiplier: 3, activation: 4, dilationW: 5, dilationH: 6 },
  TransposeConv: { padding: 0, strideW: 1, strideH: 2, activation: 3 },
  FullyConnected: { activation: 0, weightsFormat: 1, keepNumDims: 2 },
  BatchMatMul: { adjX: 0, adjY: 1 },
  Pool2D: { padding: 0, strideW: 1, strideH: 2, filterW: 3, filterH: 4, activation: 5 },
  /** ADD, SUB, MUL, DIV, L2_NORMALIZATION. */
  Binary: { activation: 0 },
  Softmax: { beta: 0 },
  LeakyRelu: { alpha: 0 },
  Gelu: { approximate: 0 },
  FakeQuant: { min: 0, max: 1, bits: 2, narrow: 3 },
  LocalResponse: { radius: 0, bias: 1, alpha: 2, beta: 3 },
  Concatenation: { axis: 0, activation: 1 },
  Pack: { count: 0, axis: 1 },
  Unpack: { count: 0, axis: 1 },
  Split: { count: 0 },
  Gather: { axis: 0, batchDims: 1 },
  OneHot: { axis: 0 },
  Reshape: { newShape: 0 },
  Squeeze: { dims: 0 },
  StridedSlice: { beginMask: 0, endMask: 1, ellipsisMask: 2, newAxisMask: 3, shrinkMask: 4, offset: 5 },
  MirrorPad: { mode: 0 },
  /** DEPTH_TO_SPACE, SPACE_TO_DEPTH. */
  Block: { size: 0 },
  Reducer: { keepDims: 0 },
  Cumsum: { exclusive: 0, reverse: 1 },
  ResizeBilinear: { alignCorners: 2, halfPixel: 3 },
  ResizeNearest: { alignCorners: 0, halfPixel: 1 },
  Lstm: { activation: 0, cellClip: 1, projectionClip: 2, kernel: 3 },
  SequenceLstm: { activation: 0, cellClip: 1, projectionClip: 2, timeMajor: 3, diagonal: 5 },
  BidirectionalLstm: { activation: 0, cellClip: 1, projectionClip: 2, mergeOutputs: 3, timeMajor: 4 },
  Rnn: { activation: 0 },
  SequenceRnn: { timeMajor: 0, activation: 1 },
  BidirectionalRnn: { timeMajor: 0, activation: 1, mergeOutputs: 2 },
  Svdf: { rank: 0, activation: 1 },
} as const;

/** BuiltinOptions: the member of the union behind `builtinOptions`, of the operators that have fields. */
export const UNIONS = {
  Conv2D: 1,
  DepthwiseConv2D: 2,
  Pool2D: 5,
  FullyConnected: 8,
  Softmax: 9,
  Concatenation: 10,
  Add: 11,
  ResizeBilinear: 15,
  Mul: 21,
  Gather: 23,
  Reducer: 27,
  Sub: 28,
  Div: 29,
  StridedSlice: 32,
  Cast: 37,
  ArgMax: 40,
  TransposeConv: 49,
  ArgMin: 57,
  SequenceLstm: 71,
  ResizeNearest: 74,
  LeakyRelu: 75,
  MirrorPad: 77,
  BatchMatMul: 101,
  Cumsum: 102,
  Gelu: 116,
} as const;

/** What our writer puts into the description of a model. */
export const DESCRIPTION = "idap";

export const PADDING_SAME = 0;
export const PADDING_VALID = 1;

/** ActivationFunctionType, by number. */
export const ACTIVATIONS = ["NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"] as const;

/** TensorType, by number. */
export const TENSOR_TYPES = [
  ..."float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128".split(" "),
  ..."uint64 resource variant uint32 uint16 int4 bfloat16".split(" "),
] as readonly string[];

/** BuiltinOperator, by number. */
export const OPERATORS: readonly string[] = `
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM
MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN
EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2
GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG
SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT
UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE
MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND
SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D
CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE
VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL
GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2
UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE
STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS
STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE
STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH
STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE
STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE
STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE`
  .trim()
  .split(/\s+/);
