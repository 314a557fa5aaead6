using System.Globalization;
using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Passes;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery;

/// <summary>Moves a graph's floating-point part to another precision: what ConvertTo-OnnxPrecision runs. Nodes that cannot take it, or are to keep theirs, stand between casts.</summary>
public static class PrecisionConversion
{
    public const string Command = "ConvertTo-OnnxPrecision";

    public static OnnxGraph Convert(OnnxGraph graph, PrecisionOptions options, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(report);
        graph.RequireWeights();
        if (options.Precision is not (DataType.Float16 or DataType.BFloat16 or DataType.Float32))
            throw new TrtToolsException(ErrorCode.OptionInvalid, "-Precision", $"it is {options.Precision}", "Fp16, Bf16 or Fp32", "Give one of these");
        GraphEdit edit = new(graph);
        int calls = FunctionInliner.Inline(edit.Model, static _ => true);
        if (calls > 0) report.Verbose(FormattableString.Invariant($"{graph.Name}: {calls} calls of functions were expanded, since their bodies are written for one precision"));
        List<string> operators = [.. edit.Body.NodesWithSubgraphs.Select(n => n.OpType).Distinct()];
        foreach (string kept in options.KeepOperator.Where(k => !edit.Body.NodesWithSubgraphs.Any(n => NameFinder.IsOperator(k, n))))
        {
            report.Warning($"{graph.Name}: -KeepOperator '{kept}' keeps nothing, since no node is of this operator. {NameFinder.Nearest(kept, operators, "It has no nodes")}");
        }
        Conversion conversion = new(edit, options, report, stop);
        conversion.Run();
        HistoryText text = new HistoryText().Add("Precision", options.Precision.ToString()).Add("KeepOperator", options.KeepOperator).Add("KeepNode", options.KeepNode).Add("Interface", options.Interface).Add("RangeData", options.RangeData?.Description);
        return edit.Finish(Command, text.ToString());
    }

    private sealed class Conversion
    {
        /// <summary>Constants from here on are no numbers to compute with: masks hold them where they mean infinity. They become the target's greatest.</summary>
        private const double StandsForInfinity = 1e30;

        private readonly GraphEdit _edit;
        private readonly PrecisionOptions _options;
        private readonly Report _report;
        private readonly CancellationToken _stop;
        private readonly IReadOnlyDictionary<Value, TensorType> _types;
        private readonly HashSet<Node> _kept;
        private readonly Dictionary<(Value, DataType), Value> _casts = [];

        // What a value holds from now on, where that differs from before.
        private readonly Dictionary<Value, DataType> _now = [];

        public Conversion(GraphEdit edit, PrecisionOptions options, Report report, CancellationToken stop)
        {
            (_edit, _options, _report, _stop) = (edit, options, report, stop);
            _types = edit.InferredTypes();
            _kept = [.. options.KeepNode.Count > 0 ? edit.Names.Nodes(options.KeepNode) : []];
        }

        private DataType Target => _options.Precision;

        /// <summary>Types that are converted: the other floats that networks are trained and shipped in.</summary>
        private bool IsSource(DataType type) => type != Target && type is DataType.Float32 or DataType.Float16 or DataType.BFloat16;

        public void Run()
        {
            GuardActivations();
            Graph body = _edit.Body;
            if (_options.Interface) ConvertInputs(body);
            List<(Value Value, DataType Type)> outputs = [.. body.Outputs.Select(o => (o, TypeOf(o)))];
            foreach (Node node in body.Nodes)
            {
                _stop.ThrowIfCancellationRequested();
                if (Converts(node)) Convert(node);
                else Keep(node);
            }
            for (int i = 0; i < outputs.Count; i++) Return(i, outputs[i].Value, outputs[i].Type);
            RemoveUnread(body);
        }

        private DataType TypeOf(Value value) => _now.TryGetValue(value, out DataType now) ? now : value.Data?.Type ?? _types.GetValueOrDefault(value)?.DataType ?? DataType.Undefined;

        private bool Converts(Node node)
        {
            if (_kept.Contains(node) || _options.KeepOperator.Any(k => NameFinder.IsOperator(k, node))) return false;
            long opset = _edit.Model.OnnxOpset;
            if (Target != DataType.Float32 && !PrecisionTraits.TakesHalf(node, opset)) return false;
            if (node.Subgraphs.Any()) return false;
            // A Cast from integers to the old float type gives the new one.
            return node.Inputs.Concat(node.Outputs).OfType<Value>().Any(v => IsSource(TypeOf(v))) && InputsFit(node);
        }

        /// <summary>Weights that the target cannot hold keep their node as it is.</summary>
        private bool InputsFit(Node node)
        {
            if (Target != DataType.Float16) return true;
            foreach (Value input in node.Inputs.OfType<Value>())
            {
                if (input.Data is not { } data || !IsSource(data.Type) || data.ElementCount == 0) continue;
                double greatest = data.ToDouble().Select(Math.Abs).Where(v => v < StandsForInfinity).DefaultIfEmpty(0).Max();
                if (greatest <= PrecisionTraits.Greatest(Target)) continue;
                _report.Warning(string.Create(CultureInfo.InvariantCulture, $"{_edit.Model.Name}: '{node.DisplayName}' keeps its precision: its constant '{input.Name}' holds {greatest:G4}, more than {Target} can"));
                return false;
            }
            return true;
        }

        private void GuardActivations()
        {
            if (_options.RangeData is not { } data) return;
            Dictionary<string, Node> producers = new(StringComparer.Ordinal);
            foreach (Node node in _edit.Body.Nodes)
            {
                foreach (Value output in node.Outputs.OfType<Value>())
                {
                    if (IsSource(TypeOf(output))) producers[output.Name] = node;
                }
            }
            List<string> guarded = [];
            foreach ((string name, double greatest) in ActivationRange.Measure(_edit.Model, producers.Keys, data, _stop))
            {
                // Half of the greatest number leaves room for data that was not seen.
                if (greatest <= PrecisionTraits.Greatest(Target) / 2 || !_kept.Add(producers[name])) continue;
                string guard = string.Create(CultureInfo.InvariantCulture, $"'{producers[name].DisplayName}' keeps its precision: '{name}' reaches {greatest:G4}");
                _report.Verbose($"{_edit.Model.Name}: {guard}");
                guarded.Add(guard);
            }
            // A warning for each of a hundred nodes would be read by nobody.
            if (guarded.Count <= 4)
            {
                foreach (string guard in guarded) _report.Warning($"{_edit.Model.Name}: {guard}");
                return;
            }
            _report.Warning(string.Create(CultureInfo.InvariantCulture, $"{_edit.Model.Name}: {guarded.Count} nodes keep their precision, since their results come near the greatest {Target} or pass it; -Verbose lists them. The first: {guarded[0]}"));
        }

        private void ConvertInputs(Graph body)
        {
            foreach (Value input in body.Inputs.Where(i => i.Data is null && IsSource(TypeOf(i))))
            {
                input.Type = input.Type! with { DataType = Target };
                _now[input] = Target;
                _edit.Touch(input);
            }
        }

        private void Convert(Node node)
        {
            for (int i = 0; i < node.Inputs.Count; i++)
            {
                if (node.Inputs[i] is not { } input || PrecisionTraits.StaysFloat(node, i)) continue;
                if (node.Is("Cast")) continue;
                if (IsSource(TypeOf(input))) node.SetInput(i, As(input, Target, node));
            }
            bool changes = PrecisionTraits.TypeAttribute(node) is not { } attribute || RetargetAttribute(node, attribute);
            foreach (Attribute held in node.Attributes.Where(a => a.Content is TensorData data && IsSource(data.Type)).ToList())
                node.Attributes.Set(Attribute.Tensor(held.Name, Rounded((TensorData)held.Content!)));
            // Without a value it is filled with a float zero.
            if (node.Is("ConstantOfShape") && !node.Attributes.Contains("value")) node.Attributes.Set(Attribute.Tensor("value", Rounded(TensorData.Vector(0f))));
            if (node.Is("Constant") && node.Attributes.FirstOrDefault(a => a.Name is "value_float" or "value_floats") is { } numbers)
            {
                TensorData data = numbers.Content is float one ? TensorData.Scalar(one) : TensorData.Vector((float[])numbers.Content!);
                node.Attributes.Remove(numbers.Name);
                node.Attributes.Set(Attribute.Tensor("value", Rounded(data)));
            }
            if (!changes) return;
            foreach (Value output in node.Outputs.OfType<Value>())
            {
                if (!IsSource(TypeOf(output))) continue;
                _now[output] = Target;
                if (output.Type is { } type) output.Type = type with { DataType = Target };
                _edit.Touch(output);
            }
        }

        private bool RetargetAttribute(Node node, string name)
        {
            if (node.Attributes[name] is not { Content: long type }) return false;
            if (!IsSource((DataType)type)) return false;
            node.Attributes.Set(Attribute.Int(name, (long)Target));
            return true;
        }

        /// <summary>A node that keeps its precision, and all below it, reads what it always read.</summary>
        private void Keep(Node node)
        {
            foreach (Node reader in node.Subgraphs.SelectMany(g => g.NodesWithSubgraphs).Prepend(node))
            {
                for (int i = 0; i < reader.Inputs.Count; i++)
                {
                    if (reader.Inputs[i] is { } input && Original(input) is { } type) reader.SetInput(i, As(input, type, node));
                }
            }
            foreach (Graph body in node.Subgraphs.SelectMany(g => g.WithSubgraphs))
            {
                for (int i = 0; i < body.Outputs.Count; i++)
                {
                    if (Original(body.Outputs[i]) is { } type) body.SetOutput(i, As(body.Outputs[i], type, node));
                }
            }
        }

        /// <summary>The type a value had, when it has another now.</summary>
        private DataType? Original(Value value) => _now.ContainsKey(value) ? _types[value].DataType : null;

        private void Return(int index, Value output, DataType type)
        {
            if (_options.Interface || TypeOf(output) == type || Original(output) is null) return;
            string name = output.Name;
            _edit.Body.Rename(output, _edit.Body.FreshName(name + "_" + Short(Target)));
            Value restored = Cast(output, type, null, name);
            restored.Type = output.Type is { } declared ? declared with { DataType = type } : null;
            restored.Origin = output.Origin;
            for (int i = index; i < _edit.Body.Outputs.Count; i++)
            {
                if (_edit.Body.Outputs[i] == output) _edit.Body.SetOutput(i, restored);
            }
        }

        private Value As(Value value, DataType type, Node reader)
        {
            if (_casts.TryGetValue((value, type), out Value? known)) return known;
            if (value.Data is { } data && !value.IsGraphInput && IsSource(data.Type) && type == Target) return _casts[(value, type)] = _edit.Body.AddConstant($"{value.Name}_{Short(type)}", Rounded(data));
            return _casts[(value, type)] = Cast(value, type, reader, $"{value.Name}_{Short(type)}");
        }

        private Value Cast(Value value, DataType type, Node? before, string name)
        {
            Node cast = _edit.Body.AddNode("Cast", [value], [_edit.Body.FreshName(name)], "", before);
            cast.Attributes.Set(Attribute.Int("to", (long)type));
            cast.Name = _edit.FreshNodeName($"{value.Name}_to_{Short(type)}");
            _edit.Touch(cast);
            return cast.Outputs[0]!;
        }

        private TensorData Rounded(TensorData data)
        {
            double[] values = data.ToDouble();
            double greatest = PrecisionTraits.Greatest(Target);
            for (int i = 0; i < values.Length; i++)
            {
                if (double.IsFinite(values[i]) && Math.Abs(values[i]) >= StandsForInfinity) values[i] = Math.Clamp(values[i], -greatest, greatest);
            }
            return TensorMath.FromDouble(Target, data.Shape, values);
        }

        private static void RemoveUnread(Graph body)
        {
            foreach (Value value in body.Initializers.Where(v => !v.HasUses && !v.IsGraphInput).ToList()) body.RemoveInitializer(value);
        }

        private static string Short(DataType type) => type switch { DataType.Float16 => "fp16", DataType.BFloat16 => "bf16", _ => "fp32" };
    }
}
