package vjp

import "math"

// operators are those that are known. Filled by init, since rules emit operators
// and thus refer to the table.
var operators map[string]*operator

// many bounds the inputs of operators with a list of them.
const many = 1 << 16

func init() {
	operators = map[string]*operator{}
	for _, group := range []map[string]*operator{elementOperators(), shapeOperators(), linearOperators(), flatOperators()} {
		for name, op := range group {
			operators[name] = op
		}
	}
}

func elementOperators() map[string]*operator {
	unary := func(grad func(*builder, *node, []string) []string) *operator {
		return &operator{min: 1, max: 1, infer: likeFirst, grad: grad}
	}
	binary := func(grad func(*builder, *node, []string) []string, f func(v []float64) float64) *operator {
		return &operator{min: 2, max: 2, infer: elementwise, grad: grad, eval: arithmetic(f)}
	}
	ops := map[string]*operator{
		"Add": binary(gradSum, func(v []float64) float64 { return v[0] + v[1] }),
		"Sub": binary(gradSub, func(v []float64) float64 { return v[0] - v[1] }),
		"Mul": binary(gradMul, func(v []float64) float64 { return v[0] * v[1] }),
		"Div": binary(gradDiv, func(v []float64) float64 { return v[0] / v[1] }),
		"Sum": {min: 1, max: many, infer: elementwise, grad: gradSum},
		"Pow": {min: 2, max: 2, infer: elementwise, grad: gradPow},
		"Neg": unary(gradNeg), "Exp": unary(gradExp), "Log": unary(gradLog), "Sqrt": unary(gradSqrt), "Abs": unary(gradAbs),
		"Sin": unary(gradSin), "Cos": unary(gradCos), "Erf": unary(gradErf), "Reciprocal": unary(gradInverse),
		"Relu": unary(gradRelu), "LeakyRelu": unary(gradLeaky), "Sigmoid": unary(gradSigmoid), "Tanh": unary(gradTanh),
		"Softplus": unary(gradSoftplus), "Gelu": unary(gradGelu),
		"Clip":  {min: 1, max: 3, infer: likeFirst, grad: gradClip},
		"Where": {min: 3, max: 3, infer: inferWhere, grad: gradWhere, eval: arithmetic(choose)},
		"Cast":  {min: 1, max: 1, infer: inferCast, grad: gradCast, eval: evalCast},
	}
	ops["Neg"].eval = arithmetic(func(v []float64) float64 { return -v[0] })
	ops["Sqrt"].eval = arithmetic(func(v []float64) float64 { return math.Sqrt(v[0]) })
	return ops
}

func choose(v []float64) float64 {
	if v[0] != 0 {
		return v[1]
	}
	return v[2]
}

func shapeOperators() map[string]*operator {
	return map[string]*operator{
		"Identity":     {min: 1, max: 1, infer: inferIdentity, grad: gradIdentity},
		"Reshape":      {min: 2, max: 2, infer: inferReshape, grad: gradReshape},
		"Flatten":      {min: 1, max: 1, infer: inferFlatten, grad: gradReshape},
		"Squeeze":      {min: 1, max: 2, infer: inferSqueeze, grad: gradReshape},
		"Unsqueeze":    {min: 2, max: 2, infer: inferUnsqueeze, grad: gradReshape},
		"Expand":       {min: 2, max: 2, infer: inferExpand, grad: gradExpand, eval: evalExpand},
		"Transpose":    {min: 1, max: 1, infer: inferTranspose, grad: gradTranspose, eval: evalTranspose},
		"Concat":       {min: 1, max: many, infer: inferConcat, grad: gradConcat, eval: evalConcat},
		"Split":        {min: 1, max: 2, outs: many, infer: inferSplit, grad: gradSplit},
		"Slice":        {min: 3, max: 5, infer: inferSlice, grad: gradSlice, eval: evalSlice},
		"Pad":          {min: 2, max: 4, infer: inferPad, grad: gradPad},
		"Gather":       {min: 2, max: 2, infer: inferGather, grad: gradGather, eval: evalGather},
		"DepthToSpace": {min: 1, max: 1, infer: inferBlocks, grad: gradDepthToSpace},
		"SpaceToDepth": {min: 1, max: 1, infer: inferBlocks, grad: gradSpaceToDepth},
	}
}

func linearOperators() map[string]*operator {
	return map[string]*operator{
		"Conv":                  {min: 2, max: 3, infer: inferConv, grad: gradConv},
		"ConvTranspose":         {min: 2, max: 3, infer: inferConvTranspose, grad: gradConvTranspose},
		"MatMul":                {min: 2, max: 2, infer: inferMatMul, grad: gradMatMul},
		"Gemm":                  {min: 2, max: 3, infer: inferGemm, grad: gradGemm},
		"Einsum":                {min: 1, max: many, infer: inferEinsum, grad: gradEinsum},
		"Resize":                {min: 1, max: 4, infer: inferResize, grad: gradResize},
		"AveragePool":           {min: 1, max: 1, infer: inferAveragePool, grad: gradAveragePool},
		"GlobalAveragePool":     {min: 1, max: 1, infer: inferGlobalPool, grad: gradGlobalPool},
		"ReduceMean":            {min: 1, max: 2, infer: inferReduce, grad: gradReduce},
		"ReduceSum":             {min: 1, max: 2, infer: inferReduce, grad: gradReduce},
		"ReduceMax":             {min: 1, max: 2, infer: inferReduce},
		"ReduceMin":             {min: 1, max: 2, infer: inferReduce},
		"Softmax":               {min: 1, max: 1, infer: inferLast, grad: gradSoftmax},
		"LogSoftmax":            {min: 1, max: 1, infer: inferLast, grad: gradLogSoftmax},
		"InstanceNormalization": {min: 3, max: 3, infer: inferChannels, grad: gradInstanceNorm},
		"GroupNormalization":    {min: 3, max: 3, infer: inferChannels, grad: gradGroupNorm},
		"LayerNormalization":    {min: 2, max: 3, outs: 3, infer: inferLayerNorm, grad: gradLayerNorm},
		"BatchNormalization":    {min: 5, max: 5, outs: 5, infer: inferBatchNorm, grad: gradBatchNorm},
	}
}

// flatOperators are piecewise constant or have no real input.
func flatOperators() map[string]*operator {
	flat := func(ins int, infer func(*inference, *node) []value) *operator {
		return &operator{min: ins, max: ins, infer: infer, flat: true}
	}
	ops := map[string]*operator{
		"Constant": flat(0, inferConstant), "Shape": flat(1, inferShape), "Size": flat(1, inferSize),
		"ConstantOfShape": flat(1, inferConstantOfShape), "Range": flat(3, inferRange),
		"ArgMax": flat(1, inferArg), "ArgMin": flat(1, inferArg),
		"Greater": flat(2, comparison), "GreaterOrEqual": flat(2, comparison), "Less": flat(2, comparison),
		"LessOrEqual": flat(2, comparison), "Equal": flat(2, comparison), "And": flat(2, comparison), "Or": flat(2, comparison),
		"Not": flat(1, comparison), "Sign": flat(1, likeFirst), "Floor": flat(1, likeFirst), "Ceil": flat(1, likeFirst), "Round": flat(1, likeFirst),
	}
	ops["ConstantOfShape"].eval, ops["Range"].eval = evalConstantOfShape, evalRange
	ops["Floor"].eval = arithmetic(func(v []float64) float64 { return math.Floor(v[0]) })
	ops["Ceil"].eval = arithmetic(func(v []float64) float64 { return math.Ceil(v[0]) })
	ops["Equal"].eval = arithmetic(func(v []float64) float64 {
		if v[0] == v[1] {
			return 1
		}
		return 0
	})
	return ops
}
