using System.Text;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Fusion;

/// <summary>Conv, ConvTranspose, Gemm or MatMul with what follows: bias, residual sum, activation; and Q/DQ around it.</summary>
internal static class ContractionMatcher
{
    private static readonly HashSet<string> s_activations = new(StringComparer.Ordinal)
    {
        "Relu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu", "Tanh", "Elu", "Selu", "Celu", "Gelu", "Mish", "Softplus", "Softsign", "ThresholdedRelu", "Swish",
    };

    public static void FindFloat(string pattern, FusionScope scope, string opType) => Find(pattern, scope, n => n.Is(opType) && !ReadsQuantized(n), takesQuantization: false);

    public static void FindQuantized(string pattern, FusionScope scope) =>
        Find(pattern, scope, n => n.Domain.Length == 0 && n.OpType is "Conv" or "ConvTranspose" or "Gemm" or "MatMul" && ReadsQuantized(n), takesQuantization: true);

    private static bool ReadsQuantized(Node node) => node.Input(0)?.Producer is { OpType: "DequantizeLinear" } && node.Input(1)?.Producer is { OpType: "DequantizeLinear" };

    private static void Find(string pattern, FusionScope scope, Func<Node, bool> isAnchor, bool takesQuantization)
    {
        foreach (Node node in scope.Nodes)
        {
            if (!isAnchor(node) || !scope.IsFree(node) || node.Output() is null) continue;
            Group group = new(pattern, scope, node);
            if (takesQuantization) group.TakeDequantized(node);
            group.TakeEpilogue(takesQuantization);
            if (group.Nodes.Count > 1) scope.Take(pattern, group.Name, group.Nodes);
        }
    }

    private sealed class Group(string pattern, FusionScope scope, Node anchor)
    {
        private readonly StringBuilder _name = new(anchor.OpType + ((anchor.OpType == "Gemm" || anchor.OpType.StartsWith("Conv", StringComparison.Ordinal)) && anchor.Input(2) is not null ? "Bias" : ""));
        private Value _value = anchor.Output()!;
        private bool _isQuantized;

        public List<Node> Nodes { get; } = [anchor];

        public string Name => (_isQuantized ? "Quantized" : "") + _name;

        public void TakeDequantized(Node node)
        {
            foreach (Value? input in node.Inputs)
            {
                if (input?.Producer is { OpType: "DequantizeLinear" } dequantize && dequantize.Graph == anchor.Graph && !Nodes.Contains(dequantize) && scope.WhyNot([dequantize], dequantize) is null)
                {
                    if (FusionScope.WhyVisible(input, new HashSet<Node>(Nodes)) is { } reason)
                    {
                        scope.Miss(pattern, dequantize, reason);
                        continue;
                    }
                    Nodes.Add(dequantize);
                    _isQuantized = true;
                }
            }
        }

        public void TakeEpilogue(bool takesQuantization)
        {
            bool hasBias = anchor.Input(2) is not null || anchor.OpType is not ("MatMul" or "Conv" or "ConvTranspose" or "Gemm");
            if (!hasBias && TakeSum(isBias: true)) _name.Append("Bias");
            if (TakeSum(isBias: false))
            {
                _name.Append("Add");
                if (takesQuantization) TakeDequantized(Nodes[^1]);
            }
            TakeActivation();
            TakeAffine();
            TakePool();
            if (takesQuantization && Reader() is { OpType: "QuantizeLinear" } quantize && quantize.Input(0) == _value && Extend([quantize], quantize)) _isQuantized = true;
        }

        private Node? Reader() => _value.UseList.Count > 0 && _value.UseList[0].Node is { } node && node.Graph == anchor.Graph ? node : null;

        private bool TakeSum(bool isBias)
        {
            // Of several readers the sum may be any: the miss should name it.
            if (_value.UseList.Select(u => u.Node).FirstOrDefault(n => (n.Is("Add") || n.Is("Sum")) && n.Inputs.Count == 2 && n.Graph == anchor.Graph) is not { } add) return false;
            Value? other = ReferenceEquals(add.Input(0), _value) ? add.Input(1) : add.Input(0);
            if (other is null || ReferenceEquals(other, _value)) return false;
            bool isConstant = PassContext.Constant(other) is not null || (other.Producer is { OpType: "DequantizeLinear" } d && PassContext.Constant(d.Input(0)) is not null);
            if (isConstant != isBias) return false;
            if (!Types.SameShape(_value, add.Output()))
            {
                // An operand of higher rank or larger extent would make the result larger than the product.
                scope.Miss(pattern, add, $"the shapes of '{_value.Name}' and '{add.Output()?.Name}' are not known to be equal");
                return false;
            }
            // The other branch may be the one that takes the sum: whichever comes first has it.
            return scope.IsFree(add) && Extend([add], add);
        }

        private void TakeActivation()
        {
            foreach (Composite composite in scope.Activations)
            {
                foreach (Node last in Exits())
                {
                    if (composite.Match(last, scope, out string? reason) is { } match && ReferenceEquals(match["x"], _value) && Extend([.. match.Nodes], last))
                    {
                        _name.Append(composite.Name);
                        return;
                    }
                    if (reason is not null) scope.Miss(composite.Name, last, reason);
                }
            }
            Node? activation = _value.UseList.Select(u => u.Node).FirstOrDefault(n => n.Domain.Length == 0 && s_activations.Contains(n.OpType) && n.Graph == anchor.Graph);
            if (activation is null || !ReferenceEquals(activation.Input(0), _value) || !scope.IsFree(activation) || !HasConstantParameters(activation) || !Extend([activation], activation)) return;
            _name.Append(activation.OpType);
        }

        /// <summary>Nodes at most a few steps away in which an activation written in pieces may end.</summary>
        private IEnumerable<Node> Exits()
        {
            HashSet<Node> seen = [];
            List<Value> front = [_value];
            for (int depth = 0; depth < 9 && front.Count is > 0 and < 8; depth++)
            {
                List<Value> next = [];
                foreach (Node node in front.SelectMany(v => v.UseList).Select(u => u.Node))
                {
                    if (node.Graph != anchor.Graph || !seen.Add(node)) continue;
                    if (scope.ActivationEnds.Contains(node.OpType)) yield return node;
                    if (PointwiseMatcher.IsPointwise(node) && node.Output() is { } output) next.Add(output);
                }
                front = next;
            }
        }

        private bool HasConstantParameters(Node activation)
        {
            foreach (Value parameter in activation.Inputs.Skip(1).OfType<Value>())
            {
                if (PassContext.Constant(parameter) is not null) continue;
                scope.Miss(pattern, activation, $"'{parameter.Name}' is not constant");
                return false;
            }
            return true;
        }

        /// <summary>Products and sums with a number: the scaling of attention scores, the learned scale and shift after an activation.</summary>
        private void TakeAffine()
        {
            for (int i = 0; i < 4; i++)
            {
                if (Reader() is not { Domain.Length: 0 } node || node.OpType is not ("Mul" or "Div" or "Add" or "Sub") || !scope.IsFree(node) || !Types.SameShape(_value, node.Output())) return;
                bool readsFirst = ReferenceEquals(node.Input(0), _value);
                if (!readsFirst && node.OpType is ("Div" or "Sub")) return;
                if (PassContext.Constant(node.Input(readsFirst ? 1 : 0)) is not { ElementCount: 1 } || _value.UseList.Count != 1 || !Extend([node], node)) return;
                _name.Append(node.OpType is "Mul" or "Div" ? "Scale" : "Shift");
            }
        }

        /// <summary>A pool that alone reads the result of a convolution.</summary>
        private void TakePool()
        {
            if (!anchor.OpType.StartsWith("Conv", StringComparison.Ordinal)) return;
            if (_value.UseList.Select(u => u.Node).FirstOrDefault(n => n.Domain.Length == 0 && n.OpType is "MaxPool" or "AveragePool" && n.Graph == anchor.Graph) is not { } pool) return;
            if (pool.Outputs.Skip(1).Any(o => o is { HasUses: true }))
            {
                scope.Miss(pattern, pool, "the indices of its maxima are used");
                return;
            }
            if (scope.IsFree(pool) && Extend([pool], pool)) _name.Append(pool.OpType);
        }

        private bool Extend(IReadOnlyList<Node> nodes, Node last)
        {
            HashSet<Node> group = [.. Nodes, .. nodes];
            if (FusionScope.WhyVisible(_value, group) is { } reason)
            {
                scope.Miss(pattern, last, reason);
                return false;
            }
            if (last.Output() is not { } output || !nodes.All(scope.IsFree)) return false;
            Nodes.AddRange(nodes.Where(n => !Nodes.Contains(n)));
            _value = output;
            return true;
        }
    }
}
